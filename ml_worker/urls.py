from django.urls import path

from ml_worker.views import manage_api, pages, removals

urlpatterns = [
    path("manage/", pages.chain, name="chain"),
    path("manage/songs/", pages.songs, name="songs"),
    path("manage/songs/<uuid:song_id>/", pages.song, name="song"),
    path("manage/songs/<uuid:song_id>/take-down/", removals.take_down, name="take-down-song"),
    path("manage/songs/<uuid:song_id>/put-back/", removals.put_back, name="put-back-song"),
    path("manage/removals/", removals.removals, name="removals"),
    path("manage/import/", pages.import_recording, name="import-recording"),
    path("manage/jobs/", pages.jobs, name="jobs"),
    path("manage/checkpoints/", pages.checkpoints, name="checkpoints"),
    path("manage/help/", pages.manage_help, name="manage-help"),
    path("manage/releases/", pages.releases, name="releases"),
    path("api/manage/chain", manage_api.Chain.as_view(), name="chain-now"),
    path("api/manage/steps", manage_api.StartStep.as_view(), name="start-step"),
    path("api/manage/jobs/<uuid:job_id>/again", manage_api.JobAgain.as_view(), name="job-again"),
    path("api/manage/recordings/<uuid:recording_id>/fragments", manage_api.Fragments.as_view(), name="fragments"),
    path(
        "api/manage/recordings/<uuid:recording_id>/audio", manage_api.RecordingAudio.as_view(), name="recording-audio"
    ),
    path(
        "api/manage/recordings/<uuid:recording_id>/peaks", manage_api.RecordingPeaks.as_view(), name="recording-peaks"
    ),
    path(
        "api/manage/recordings/<uuid:recording_id>/curve", manage_api.RecordingCurve.as_view(), name="recording-curve"
    ),
    path("api/manage/fragments/<uuid:fragment_id>", manage_api.OneFragment.as_view(), name="fragment"),
]
