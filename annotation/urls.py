from django.contrib.auth.views import LogoutView
from django.urls import path, register_converter

from annotation.views import account, hum_api, pages, review_api


class Side:
    """One of the two sides of an item."""

    regex = "original|version"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Side, "side")

urlpatterns = [
    path("", pages.home, name="home"),
    path("sign-in/", account.SignIn.as_view(), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("sign-up/", account.sign_up, name="sign-up"),
    path("account/", account.account, name="account"),
    path("account/data", account.download, name="own-data"),
    path("account/leave/", account.leave, name="leave"),
    path("hum/", pages.hum, name="hum"),
    path("hum/songs/", pages.known_songs, name="known-songs"),
    path("takes/", pages.takes, name="takes"),
    path("review/", pages.review, name="review"),
    path("api/hum/consent", hum_api.GiveConsent.as_view(), name="consent"),
    path("api/hum/task", hum_api.NextTask.as_view(), name="next-task"),
    path("api/hum/task/<uuid:lease_id>/extend", hum_api.ExtendTask.as_view(), name="extend-task"),
    path("api/hum/task/<uuid:lease_id>/skip", hum_api.SkipTask.as_view(), name="skip-task"),
    path("api/hum/songs/<uuid:song_id>", hum_api.KnowSong.as_view(), name="know-song"),
    path("api/hums/<uuid:take_id>", hum_api.Take.as_view(), name="take"),
    path("api/hums/<uuid:take_id>/audio", hum_api.TakeAudio.as_view(), name="take-audio"),
    path("api/hums/<uuid:take_id>/curve", hum_api.TakeCurve.as_view(), name="take-curve"),
    path("api/hums/<uuid:take_id>/withdraw", hum_api.WithdrawTake.as_view(), name="withdraw-take"),
    path("api/review/next", review_api.NextItem.as_view(), name="next-item"),
    path("api/review/extend", review_api.ExtendItems.as_view(), name="extend-items"),
    path("api/review/<uuid:item_id>/verdict", review_api.GiveVerdict.as_view(), name="verdict"),
    path("api/review/<uuid:item_id>/release", review_api.ReleaseItem.as_view(), name="release-item"),
    path("api/review/<uuid:item_id>/pass", review_api.PassItem.as_view(), name="pass-item"),
    path("api/review/<uuid:item_id>/<side:side>/audio", review_api.ItemAudio.as_view(), name="item-audio"),
    path("api/review/<uuid:item_id>/<side:side>/curve", review_api.ItemCurve.as_view(), name="item-curve"),
    path("api/review/verdicts", review_api.LastVerdicts.as_view(), name="last-verdicts"),
    path("api/review/verdicts/<int:verdict_id>/undo", review_api.UndoVerdict.as_view(), name="undo-verdict"),
]
