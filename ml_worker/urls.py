from django.urls import path

import recordings.converters  # noqa: F401, what versions look like in addresses
from ml_worker.views import covers, manage_api, pages, pairs, releases, removals, rounds, rounds_api

urlpatterns = [
    path("manage/", pages.chain, name="chain"),
    path("manage/songs/", pages.songs, name="songs"),
    path("manage/songs/<uuid:song_id>/", pages.song, name="song"),
    path("manage/songs/<uuid:song_id>/take-down/", removals.take_down, name="take-down-song"),
    path("manage/songs/<uuid:song_id>/put-back/", removals.put_back, name="put-back-song"),
    path("manage/removals/", removals.removals, name="removals"),
    path("manage/import/", pages.import_recording, name="import-recording"),
    path("manage/covers/", covers.covers, name="covers"),
    path("manage/covers/<uuid:song_id>/", covers.covers_of_song, name="covers-of-song"),
    path("manage/pairs/", pairs.pairs, name="pairs"),
    path("manage/pairs/<int:pair_id>/", pairs.pair, name="pair"),
    path("manage/pairs/<int:pair_id>/keep/", pairs.keep, name="keep-pair"),
    path("manage/pairs/<int:pair_id>/look-again/", pairs.look_again, name="look-again"),
    path("manage/rounds/", rounds.rounds, name="rounds"),
    path("manage/rounds/<uuid:round_id>/", rounds.round, name="round"),
    path("manage/jobs/", pages.jobs, name="jobs"),
    path("manage/checkpoints/", pages.checkpoints, name="checkpoints"),
    path("manage/help/", pages.manage_help, name="manage-help"),
    path("manage/releases/", releases.releases, name="releases"),
    path("manage/releases/<version:version>/", releases.release, name="manage-release"),
    path("manage/releases/<version:version>/notes/", releases.note, name="note-release"),
    path("manage/releases/<version:version>/draft/", releases.draft, name="draft-release"),
    path("manage/releases/<version:version>/stop/", releases.stop, name="stop-release"),
    path("manage/releases/<version:version>/publish/", releases.publish, name="publish-release"),
    path("manage/releases/<version:version>/throw-away/", releases.throw_away, name="throw-away-draft"),
    path("api/manage/chain", manage_api.Chain.as_view(), name="chain-now"),
    path("api/manage/songs/<uuid:song_id>/search", covers.SearchCovers.as_view(), name="search-covers"),
    path("api/manage/covers/<uuid:candidate_id>/decision", covers.CoverDecision.as_view(), name="cover-decision"),
    path("api/manage/covers/lists", covers.CoverLists.as_view(), name="cover-lists"),
    path("api/manage/pairs/<int:pair_id>/map.png", pairs.PairMap.as_view(), name="pair-map"),
    path("api/manage/rounds", rounds_api.Rounds.as_view(), name="rounds-now"),
    path("api/manage/rounds/<uuid:round_id>/stop", rounds_api.StopRound.as_view(), name="stop-round"),
    path("api/manage/rounds/<uuid:round_id>/go-on", rounds_api.GoOnWithRound.as_view(), name="go-on-with-round"),
    path(
        "api/manage/checkpoints/<slug:name>/standing",
        rounds_api.CheckpointStanding.as_view(),
        name="checkpoint-standing",
    ),
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
