"""Searching for covers and looking whether videos are still there: the real yt-dlp against a stand-in of the site."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from ml_worker import pending, polite, tasks
from ml_worker.models import Job
from ml_worker.running import run_here
from ml_worker.tests.made_youtube import Site, found_video, stand_in
from ml_worker.work import available, fetch, search, youtube
from recordings.models import AvailabilityCheck, CoverCandidate, CoverSearch, Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db

WITH_ARTIST, TITLE_ALONE = "Someone Like You Adele cover", "Someone Like You cover"


@pytest.fixture
def site(settings) -> Iterator[Site]:
    settings.CALL_PAUSE_S = 0.0
    with stand_in() as running:
        running.answers = {
            WITH_ARTIST: [found_video("cover-a-000", "Adele - Someone Like You (Ann's cover)", "Ann"),
                          found_video("karaoke-000", "Someone Like You karaoke", "Sing", views="9 views")],
            TITLE_ALONE: [found_video("cover-a-000", "Adele - Someone Like You (Ann's cover)", "Ann"),
                          found_video("cover-b-000", "someone like you, sung by Bo", "Bo", "1:02:03")],
        }  # fmt: skip
        yield running


@pytest.fixture
def song(settings, tmp_path) -> Song:
    factories.use_storage(settings, tmp_path)
    return factories.make_song("Someone Like You", "Adele")


def states() -> dict[str, str]:
    return dict(CoverCandidate.objects.values_list("youtube_id", "state"))


def test_what_is_found_waits_for_a_person_and_nothing_is_downloaded(site: Site, song: Song):
    job = run_here(Job.Kind.SEARCH, song.pk)
    assert job.state == Job.State.DONE, job.failure
    assert job.message == "4 videos found, 3 of them new; 1 wait for a person."
    assert states() == {"cover-a-000": "proposed", "karaoke-000": "filtered", "cover-b-000": "filtered"}
    assert not Recording.objects.exists()
    first = CoverCandidate.objects.get(youtube_id="cover-a-000")
    assert (first.channel, first.duration_s, first.views, first.found_by) == ("Ann", 190.0, 1234, WITH_ARTIST)
    why = CoverCandidate.objects.get(youtube_id="cover-b-000").filtered_because
    assert why == [{"filter": "length", "sentence": "Too long: 1:02:03, and songs have 1:00 to 10:00."}]


def test_each_question_is_one_call(site: Site, song: Song):
    run_here(Job.Kind.SEARCH, song.pk)
    assert (site.asked, site.calls) == ([WITH_ARTIST, TITLE_ALONE], 2)


def test_the_originals_length_is_what_covers_are_measured_by(site: Site, song: Song):
    factories.make_recording(song, seconds=60.0)
    run_here(Job.Kind.SEARCH, song.pk)
    why = CoverCandidate.objects.get(youtube_id="cover-a-000").filtered_because
    assert why == [{"filter": "length", "sentence": "Too long: 3:10, and the original has 1:00."}]


def test_a_second_search_leaves_decisions_and_what_is_here_alone(site: Site, song: Song):
    run_here(Job.Kind.SEARCH, song.pk)
    CoverCandidate.objects.filter(youtube_id="cover-a-000").update(state="refused")
    CoverCandidate.objects.filter(youtube_id="cover-b-000").delete()
    factories.make_recording(song, "cover", youtube_id="cover-b-000")
    assert run_here(Job.Kind.SEARCH, song.pk).result == {"found": 4, "new": 0}
    assert states() == {"cover-a-000": "refused", "karaoke-000": "filtered"}


def test_filters_are_left_out_where_that_is_asked_for(site: Site, song: Song):
    run_here(Job.Kind.SEARCH, song.pk, filters=["length"])
    assert states() == {"cover-a-000": "proposed", "karaoke-000": "proposed", "cover-b-000": "filtered"}


class Killed(BaseException):
    """Like a worker's end: nothing of the job's own code catches it."""


def test_a_search_that_was_killed_goes_on_with_the_next_question(site: Site, song: Song, monkeypatch):
    store = search.store

    def killed_after(*args: object) -> None:
        store(*args)
        raise Killed

    monkeypatch.setattr(search, "store", killed_after)
    with pytest.raises(Killed):
        run_here(Job.Kind.SEARCH, song.pk)
    assert states() == {"cover-a-000": "proposed", "karaoke-000": "filtered"}
    monkeypatch.setattr(search, "store", store)
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    job = run_here(Job.Kind.SEARCH, song.pk)
    assert (job.state, job.attempts, job.result) == (Job.State.DONE, 2, {"found": 4, "new": 3})
    assert site.asked == [WITH_ARTIST, TITLE_ALONE]


def test_a_network_that_goes_away_is_tried_again_and_then_said_in_words(site: Site, song: Song):
    site.fails_after = 1
    job = run_here(Job.Kind.SEARCH, song.pk)
    assert job.state == Job.State.FAILED
    assert job.failure == (
        f"The search for “{TITLE_ALONE}” was not answered: the network is unreachable. Start it again later; what was "
        "found before is kept."
    )
    assert set(states()) == {"cover-a-000", "karaoke-000"}
    site.fails_after = None
    assert job.start_again()
    again = run_here(Job.Kind.SEARCH, song.pk)
    assert (again.pk, again.state) == (job.pk, Job.State.DONE)
    assert site.asked == [WITH_ARTIST, TITLE_ALONE]


UNRESOLVED = "HTTPSConnection(host='x', port=443): Failed to resolve 'x' ([Errno -2] Name or service not known)"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f'query "x" page 1: Unable to download API page: {UNRESOLVED} (caused by Error())', fetch.OUT_OF_REACH),
        ('query "Failed to resolve" page 1: Unable to download API page: HTTP Error 503: No', "HTTP Error 503: No."),
    ],
)
def test_a_name_that_cannot_be_resolved_is_told_apart_from_what_the_site_says(said: str, words: str):
    assert youtube.what_it_said(Exception(f"ERROR: {said}")) == words


def test_a_site_that_stumbles_is_asked_again_after_growing_waits(site: Site, song: Song, settings, monkeypatch):
    settings.CALL_PAUSE_S = 1.0
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    site.refuses = 503
    job = run_here(Job.Kind.SEARCH, song.pk)
    assert "503" in job.failure
    assert site.calls == 4
    assert [wait for wait in waits if wait > 1.0] == [2.0, 4.0]
    assert waits.count(1.0) >= 4, "a pause between any two calls, and the first wait"


def test_a_site_that_asks_us_to_slow_down_is_not_asked_again(site: Site, song: Song):
    site.refuses = 429
    job = run_here(Job.Kind.SEARCH, song.pk)
    assert (job.state, site.calls) == (Job.State.FAILED, 1)
    assert job.failure.startswith("YouTube asks us to slow down")
    assert not CoverSearch.objects.exists()


def test_an_hours_searches_are_bounded_and_searches_wait_for_the_next(site: Site, song: Song, settings):
    settings.SEARCHES_AN_HOUR = 1
    job = run_here(Job.Kind.SEARCH, song.pk)
    assert job.state == Job.State.FAILED
    assert "This hour's 1 searches are used up (CHAD_SEARCHES_AN_HOUR). Start it again after " in job.failure
    waiting = Job.ask(Job.Kind.SEARCH, factories.make_song("Hello").pk)
    assert waiting not in tasks.claimable("ordinary")
    CoverSearch.objects.update(at=timezone.now() - timedelta(minutes=61))
    assert waiting in tasks.claimable("ordinary")
    assert polite.searches_used_up_until() is None


def test_a_song_that_was_taken_down_is_not_searched_for(site: Site, song: Song):
    Song.objects.update(taken_down_at=timezone.now())
    assert "taken down" in run_here(Job.Kind.SEARCH, song.pk).failure
    assert site.calls == 0


def test_the_command_searches_for_the_songs_that_never_were(site: Site, song: Song, settings, capsys):
    factories.make_song("Hello", "Adele")
    settings.SEARCHES_AN_HOUR = 2
    call_command("search_covers", json=True)
    told = capsys.readouterr()
    assert '"found": 4' in told.out
    assert Job.objects.waiting().filter(kind=Job.Kind.SEARCH).count() == 1
    for wrong, words in (({"song": "no id"}, "no id"), ({"limit": 2**70}, "from 1 to 1,000,000")):
        with pytest.raises(SystemExit) as ended:
            call_command("search_covers", **wrong)
        assert ended.value.code == 2
        assert words in capsys.readouterr().err


# --- whether videos are still there


def make_video(youtube_id: str, song: Song | None = None, **fields: object) -> Recording:
    song = song or factories.make_song(youtube_id)
    return factories.make_recording(song, "cover", source=Recording.Source.YOUTUBE, youtube_id=youtube_id, **fields)


def now_is(days: float) -> None:
    """Lets all looks lie so many days back."""
    back = timedelta(days=days)
    for check in AvailabilityCheck.objects.all():
        check.at, check.next_at = check.at - back, check.next_at - back
        check.save()


@pytest.fixture
def videos(song: Song) -> tuple[Recording, Recording]:
    return make_video("still-there"), make_video("was-removed")


def test_videos_are_looked_at_and_what_is_gone_is_known(site: Site, videos):
    site.gone.add("was-removed")
    job = run_here(Job.Kind.AVAILABLE)
    assert (job.state, job.result) == (Job.State.DONE, {"there": 1, "gone": 1, "unknown": 0}), job.failure
    for video in videos:
        video.refresh_from_db()
    assert [video.is_available for video in videos] == [True, False]
    gone = AvailabilityCheck.objects.get(recording=videos[1])
    assert gone.said == "Video unavailable. This video has been removed by the uploader."
    assert videos[1].state == Recording.State.READY, "its audio is here, and stays"


@pytest.mark.parametrize("trouble", [{"fails_after": 0}, {"refuses": 404}, {"refuses": 500}])
def test_a_site_out_of_reach_says_nothing_of_a_video(site: Site, videos, trouble):
    run_here(Job.Kind.AVAILABLE)
    now_is(31)
    for name, value in trouble.items():
        setattr(site, name, value)
    run_here(Job.Kind.AVAILABLE)
    assert set(Recording.objects.values_list("is_available", flat=True)) == {True}
    latest = AvailabilityCheck.objects.latest_first()
    assert [check.is_available for check in latest[:2]] == [None, None]


def test_a_site_out_of_reach_is_given_up_soon(site: Site, song: Song):
    for number in range(5):
        make_video(f"a-video-{number:03d}")
    site.fails_after = 0
    job = run_here(Job.Kind.AVAILABLE)
    assert job.state == Job.State.FAILED
    assert job.failure.startswith("The video site is out of reach. It gave no answer.")
    assert AvailabilityCheck.objects.count() == available.GIVE_UP_AFTER


def test_after_nothing_was_learned_the_waits_grow(song: Song, settings):
    video = make_video("a-video-000")
    settings.AVAILABILITY_EVERY = timedelta(hours=5)
    waits = []
    for is_available in (True, None, None, None, None, True, None):
        check = AvailabilityCheck.note(video, is_available)
        waits.append((check.next_at - check.at) / timedelta(hours=1))
    assert waits == [5, 1, 2, 4, 5, 5, 1]


def test_a_bounded_number_is_looked_at_the_longest_due_first(site: Site, song: Song, monkeypatch):
    monkeypatch.setattr(available, "BATCH", 2)
    old, older, never, fresh = (make_video(f"a-video-{number:03d}") for number in range(4))
    for video, days in ((old, 40), (older, 50), (fresh, 1)):
        AvailabilityCheck.note(video, True, at=timezone.now() - timedelta(days=days))
    assert list(AvailabilityCheck.due()) == [never, older, old]
    run_here(Job.Kind.AVAILABLE)
    assert list(AvailabilityCheck.due()) == [old]


def test_looking_is_asked_for_when_it_is_due_and_rests_after_a_failure(song: Song):
    assert not pending.looking_is_due()
    make_video("a-video-000")
    assert pending.looking_is_due()
    pending.make_jobs()
    job = Job.objects.get(kind=Job.Kind.AVAILABLE)
    assert not pending.looking_is_due()
    Job.objects.filter(pk=job.pk).update(state="failed", created_at=timezone.now() - timedelta(minutes=30))
    assert not pending.looking_is_due()
    Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(minutes=70))
    assert pending.looking_is_due()
    AvailabilityCheck.note(Recording.objects.get(), True)
    assert not pending.looking_is_due()


def test_recordings_that_wait_or_belong_to_no_video_are_not_looked_at(song: Song):
    make_video("a-video-000", state=Recording.State.WAITING)
    make_video("b-video-000", factories.make_song("Down", taken_down_at=timezone.now()))
    factories.make_recording()
    assert not AvailabilityCheck.due().exists()


# --- politeness of downloads


def ended(ago_s: float) -> Job:
    """A download that ended so long ago."""
    finished_at = timezone.now() - timedelta(seconds=ago_s)
    return Job.objects.create(kind=Job.Kind.FETCH, subject="other", state="done", finished_at=finished_at)


@pytest.mark.parametrize(("ago_s", "rest_s"), [(0.0, 10.0), (4.0, 6.0), (10.0, 0.0), (99.0, 0.0), (-60.0, 10.0)])
def test_between_two_downloads_is_a_pause(settings, ago_s: float, rest_s: float):
    settings.VIDEO_PAUSE_S = 10.0
    assert polite.rest_s() == 0.0
    ended(ago_s)
    assert polite.rest_s() == pytest.approx(rest_s, abs=1.0)


def test_downloads_stay_in_the_queue_until_the_pause_is_over_and_come_one_by_one(settings):
    settings.VIDEO_PAUSE_S = 10.0
    waiting = Job.ask(Job.Kind.FETCH, "this", priority=50)
    assert waiting in tasks.claimable("ordinary")
    other = ended(3.0)
    assert waiting not in tasks.claimable("ordinary")
    Job.objects.filter(pk=other.pk).update(finished_at=timezone.now() - timedelta(seconds=11))
    assert waiting in tasks.claimable("ordinary")
    Job.objects.filter(pk=other.pk).update(state="running", finished_at=None)
    assert waiting not in tasks.claimable("ordinary")


def test_a_command_waits_for_the_end_of_the_pause_and_says_so(settings, monkeypatch):
    settings.VIDEO_PAUSE_S = 10.0
    waits: list[float] = []
    monkeypatch.setattr(fetch.time, "sleep", waits.append)
    told: list[str] = []
    fetch.pause(lambda share, message: told.append(message))
    assert (waits, told) == ([], [])
    ended(0.0)
    fetch.pause(lambda share, message: told.append(message))
    assert waits == [pytest.approx(10.0, abs=1.0)]
    assert told[0].endswith(" s, to be polite")


def test_a_recording_that_was_taken_back_is_not_fetched(song: Song):
    job = run_here(Job.Kind.FETCH, song.pk)
    assert (job.state, job.message) == (Job.State.DONE, "It was taken back before it was fetched.")


def test_words_that_doubt_us_are_no_word_on_the_video():
    said = fetch.in_words(
        "a-video-000", Exception("ERROR: Video unavailable. YouTube is requiring a captcha challenge")
    )
    assert not isinstance(said, fetch.VideoGone)
