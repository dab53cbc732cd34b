from django.contrib.auth.views import LogoutView
from django.urls import path, re_path, register_converter

import recordings.converters  # noqa: F401, what versions look like in addresses
from annotation import limits
from annotation.views import (
    account,
    hum_api,
    manage,
    manage_reports,
    manage_review_api,
    manage_studies,
    pages,
    reports_api,
    review_api,
    search_api,
    search_schema,
    studies,
)


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
    path("sign-in/", limits.sign_ins(account.SignIn.as_view()), name="sign-in"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
    path("sign-up/", limits.sign_ups(account.sign_up), name="sign-up"),
    path("account/", account.account, name="account"),
    path("account/data", account.download, name="own-data"),
    path("account/leave/", account.leave, name="leave"),
    path("account/about/", account.about_singer, name="about-singer"),
    path("account/training/", account.training_wish, name="training-wish"),
    path("find/", pages.find, name="find"),
    path("hum/", pages.hum, name="hum"),
    path("hum/songs/", pages.known_songs, name="known-songs"),
    path("takes/", pages.takes, name="takes"),
    path("review/", studies.or_to_the_code(pages.review), name="review"),
    path("study/<str:token>/", limits.study_starts(studies.study), name="study"),
    path("study/<str:token>/done", studies.done, name="study-done"),
    path("api/study", studies.StudyNow.as_view(), name="study-now"),
    path("manage/studies/", manage_studies.studies, name="studies"),
    path("manage/studies/<uuid:study_id>/", manage_studies.study, name="manage-study"),
    path("manage/studies/<uuid:study_id>/payments.csv", manage_studies.payments, name="study-payments"),
    path("api/hum/consent", hum_api.GiveConsent.as_view(), name="consent"),
    path("api/hum/task", hum_api.NextTask.as_view(), name="next-task"),
    path("api/hum/task/<uuid:lease_id>/extend", hum_api.ExtendTask.as_view(), name="extend-task"),
    path("api/hum/task/<uuid:lease_id>/skip", hum_api.SkipTask.as_view(), name="skip-task"),
    path("api/hum/songs/<uuid:song_id>", hum_api.KnowSong.as_view(), name="know-song"),
    path("api/hums/<uuid:take_id>", hum_api.Take.as_view(), name="take"),
    path("api/hums/<uuid:take_id>/audio", hum_api.TakeAudio.as_view(), name="take-audio"),
    path("api/hums/<uuid:take_id>/curve", hum_api.TakeCurve.as_view(), name="take-curve"),
    path("api/hums/<uuid:take_id>/withdrawal", hum_api.Withdrawal.as_view(), name="withdrawal"),
    path("api/hums/<uuid:take_id>/withdraw", hum_api.WithdrawTake.as_view(), name="withdraw-take"),
    path("api/", search_schema.explained, name="api"),
    path("api/v1/schema", search_schema.Schema.as_view(), name="schema"),
    path("api/v1/searches", search_api.Searches.as_view(), name="searches"),
    path("api/v1/searches/<uuid:search_id>", search_api.OneSearch.as_view(), name="search"),
    path("api/v1/searches/<uuid:search_id>/curves/<int:rank>", search_api.Curves.as_view(), name="search-curves"),
    path("api/v1/searches/<uuid:search_id>/listen/<int:rank>", search_api.Listen.as_view(), name="search-listen"),
    path("api/v1/searches/<uuid:search_id>/mark", search_api.Mark.as_view(), name="mark-search"),
    re_path(r"^api/v1/(?P<rest>.*)$", search_api.Nowhere.as_view(), name="no-call"),
    path(
        "api/releases/<version:version>/<uuid:version_id>/reports",
        reports_api.Reports.as_view(),
        name="report-version",
    ),
    path("manage/double-check/", manage.double_check, name="agreement"),
    path("manage/items/", manage.review_items, name="review-items"),
    path("manage/items/<uuid:item_id>/", manage.review_item, name="review-item"),
    path("manage/reports/", manage_reports.reports, name="reports"),
    path("manage/reviewers/<uuid:reviewer_id>/", manage.reviewer, name="reviewer"),
    path("api/manage/agreement", manage_review_api.Figures.as_view(), name="agreement-figures"),
    path("api/manage/items/<uuid:item_id>/overrule", manage_review_api.Overrule.as_view(), name="overrule"),
    path("api/manage/reviewers/<uuid:reviewer_id>/standing", manage_review_api.Standing.as_view(), name="standing"),
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
