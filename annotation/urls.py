from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from annotation.views import hum_api, pages, review_api

urlpatterns = [
    path("", pages.home, name="home"),
    path("sign-in/", LoginView.as_view(template_name="registration/sign_in.html"), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("sign-up/", pages.sign_up, name="sign-up"),
    path("hum/", pages.hum, name="hum"),
    path("takes/", pages.takes, name="takes"),
    path("review/", pages.review, name="review"),
    path("api/hum/consent", hum_api.GiveConsent.as_view(), name="consent"),
    path("api/hum/task", hum_api.NextTask.as_view(), name="next-task"),
    path("api/hum/task/<uuid:lease_id>/extend", hum_api.ExtendTask.as_view(), name="extend-task"),
    path("api/hum/task/<uuid:lease_id>/skip", hum_api.SkipTask.as_view(), name="skip-task"),
    path("api/hums/<uuid:take_id>", hum_api.Take.as_view(), name="take"),
    path("api/hums/<uuid:take_id>/audio", hum_api.TakeAudio.as_view(), name="take-audio"),
    path("api/hums/<uuid:take_id>/curve", hum_api.TakeCurve.as_view(), name="take-curve"),
    path("api/hums/<uuid:take_id>/withdraw", hum_api.WithdrawTake.as_view(), name="withdraw-take"),
    path("api/review/next", review_api.NextItem.as_view(), name="next-item"),
    path("api/review/<uuid:item_id>/verdict", review_api.GiveVerdict.as_view(), name="verdict"),
    path("api/review/verdicts/<int:verdict_id>/undo", review_api.UndoVerdict.as_view(), name="undo-verdict"),
    path(
        "api/cover-fragments/<uuid:cover_fragment_id>/audio",
        review_api.CoverFragmentAudio.as_view(),
        name="cover-fragment-audio",
    ),
    path(
        "api/cover-fragments/<uuid:cover_fragment_id>/curve",
        review_api.CoverFragmentCurve.as_view(),
        name="cover-fragment-curve",
    ),
]
