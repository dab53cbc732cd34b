"""The pages of covers and their calls: deciding on videos, taking decisions back, lists, and losses."""

from __future__ import annotations

import csv
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ml_worker import covers_page
from ml_worker.collecting import lists
from ml_worker.models import Job
from ml_worker.tests.test_cover_lists import LIST
from ml_worker.views import covers
from recordings.models import AvailabilityCheck, CoverCandidate, CoverSearch, Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db

LIVE = {"filter": "live", "sentence": "“live” in the title: live."}


@pytest.fixture
def song(admin: Client) -> Song:
    return factories.make_song("Hallelujah", "Leonard Cohen")


def make_candidate(song: Song, youtube_id: str = "y8AWFf7EAc4", **fields: Any) -> CoverCandidate:
    facts = {"title": f"A cover {youtube_id}", "channel": "Ann - Topic", "found_by": "hallelujah cover"}
    if fields.get("filtered_because"):
        facts["state"] = "filtered"
    return CoverCandidate.objects.create(song=song, youtube_id=youtube_id, **facts | fields)


def decide(admin: Client, candidate: CoverCandidate, decision: str) -> HttpResponse:
    address = f"/api/manage/covers/{candidate.pk}/decision"
    answer = admin.post(address, {"decision": decision}, content_type="application/json")
    candidate.refresh_from_db()
    return answer


def test_an_approved_video_becomes_a_cover_that_waits_to_be_fetched(admin: Client, song: Song):
    candidate = make_candidate(song)
    answer = decide(admin, candidate, "approve")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(candidate.pk), "state": "approved", "words": "approved; it waits to be fetched",
    }  # fmt: skip
    cover = candidate.recording
    assert (cover.song, cover.kind, cover.artist, cover.youtube_id) == (song, "cover", "Ann", "y8AWFf7EAc4")
    assert (cover.state, candidate.decided_by.get_username()) == ("waiting", "admin")
    assert candidate.decided_at is not None


@pytest.mark.parametrize(("because", "before"), [([], "proposed"), ([LIVE], "filtered")])
def test_a_decision_taken_back_leaves_all_as_it_was(admin: Client, song: Song, because: list, before: str):
    candidate = make_candidate(song, filtered_because=because)
    for decision in ("approve", "refuse"):
        decide(admin, candidate, decision)
        assert candidate.state in CoverCandidate.DECIDED
        assert decide(admin, candidate, "undo").status_code == 200
        assert (candidate.state, candidate.recording, candidate.decided_by) == (before, None, None)
        assert not Recording.objects.exists()
    assert candidate.history.count() == 4


def test_taking_back_also_forgets_the_fetching_that_waits(admin: Client, song: Song):
    candidate = make_candidate(song)
    decide(admin, candidate, "approve")
    Job.ask(Job.Kind.FETCH, candidate.recording_id)
    assert decide(admin, candidate, "undo").status_code == 200
    assert not Job.objects.exists()


def test_what_is_being_fetched_or_was_is_not_taken_back(admin: Client, song: Song):
    candidate = make_candidate(song)
    decide(admin, candidate, "approve")
    job = Job.ask(Job.Kind.FETCH, candidate.recording_id)
    Job.objects.filter(pk=job.pk).update(state="running")
    answer = decide(admin, candidate, "undo")
    assert (answer.status_code, answer.json()["error"]) == (409, "It is being fetched right now. Wait for it to end.")
    Job.objects.filter(pk=job.pk).update(state="done")
    Recording.objects.update(state="ready")
    answer = decide(admin, candidate, "undo")
    assert (answer.status_code, candidate.state) == (409, "approved")
    assert "fetched already" in answer.json()["error"]
    assert Job.objects.filter(pk=job.pk).exists(), "a refused call changes nothing"


def test_a_video_that_is_here_already_is_not_approved(admin: Client, song: Song):
    candidate = make_candidate(song)
    here = factories.make_recording(youtube_id=candidate.youtube_id, source="youtube")
    answer = decide(admin, candidate, "approve")
    assert (answer.status_code, candidate.state) == (409, "proposed")
    assert answer.json()["error"] == f"This video is here already, as {here}. Refuse it."


@pytest.mark.parametrize(
    ("before", "decision"), [("approved", "approve"), ("approved", "refuse"), ("proposed", "undo")]
)
def test_a_decision_that_does_not_follow_is_refused_and_names_the_state(
    admin: Client, song: Song, before: str, decision: str
):
    candidate = make_candidate(song, state=before)
    answer = decide(admin, candidate, decision)
    assert answer.status_code == 409
    assert f"is {before}" in answer.json()["error"]
    assert candidate.state == before


def test_nothing_is_approved_for_a_song_that_was_taken_down(admin: Client, song: Song):
    Song.objects.update(taken_down_at=timezone.now())
    candidate = make_candidate(song)
    assert "taken down" in decide(admin, candidate, "approve").json()["error"]
    assert "taken down" in admin.post(f"/api/manage/songs/{song.pk}/search").json()["error"]


def test_a_search_is_asked_for_once(admin: Client, song: Song):
    for _ in range(2):
        answer = admin.post(f"/api/manage/songs/{song.pk}/search")
        assert (answer.status_code, answer.json()["kind"]) == (201, "search")
    job = Job.objects.get()
    assert (job.subject, job.priority) == (str(song.pk), covers.SEARCH_PRIORITY)


# --- pages


def page(admin: Client, address: str) -> str:
    answer = admin.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_without_songs_the_page_says_what_to_do(admin: Client):
    told = page(admin, "/manage/covers/")
    assert "There are no songs yet" in told
    assert "No video was fetched yet" in told


def test_songs_with_something_to_decide_come_first(admin: Client, song: Song):
    factories.make_song("Aaa")
    make_candidate(song)
    CoverSearch.objects.create(song=song, query="x", asked_for=song.pk, found=1, new=1)
    found = list(covers_page.songs())
    assert [(one.title, one.proposed, one.filtered) for one in found] == [("Hallelujah", 1, 0), ("Aaa", 0, 0)]
    assert found[0].searched_at is not None
    assert "Hallelujah" in page(admin, "/manage/covers/?q=halle")
    assert "No song is like that" in page(admin, "/manage/covers/?q=nothing")


def test_the_list_of_songs_costs_the_same_for_many(admin: Client, song: Song):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            page(admin, "/manage/covers/")
        return len(caught)

    few = queries()
    for number in range(10):
        make_candidate(factories.make_song(f"Song {number}"))
    assert queries() == few


def test_videos_are_shown_by_state_and_by_filter(admin: Client, song: Song):
    make_candidate(song, "proposed-00", views=5)
    make_candidate(song, "aside-live0", filtered_because=[LIVE])
    make_candidate(song, "aside-long0", filtered_because=[{"filter": "length", "sentence": "Too long: 9:00."}])
    address = f"/manage/covers/{song.pk}/"
    assert "proposed-00" in page(admin, address)
    aside = page(admin, address + "?state=filtered")
    assert "aside-live0" in aside
    assert "aside-long0" in aside
    assert "Too long: 9:00." in aside
    live = page(admin, address + "?state=filtered&because=live")
    assert "aside-live0" in live
    assert "aside-long0" not in live
    chips = [(chip.value, chip.number) for chip in covers_page.filter_chips(song)]
    assert chips == [("length", 1), ("live", 1)]
    assert "There is no video here" in page(admin, address + "?state=refused")


def test_every_filter_has_a_word_for_its_chip():
    from ml_worker.collecting.filters import FILTERS

    assert set(covers_page.FILTER_WORDS) == set(FILTERS)


def test_a_song_without_videos_says_what_to_do_and_what_failed(admin: Client, song: Song):
    address = f"/manage/covers/{song.pk}/"
    assert "Nothing was searched for yet" in page(admin, address)
    Job.objects.create(kind=Job.Kind.SEARCH, subject=str(song.pk), state="failed", failure="The site was away.")
    assert "The site was away." in page(admin, address)
    CoverSearch.objects.create(song=song, query="x", asked_for=song.pk, found=0, new=0)
    assert "The search found nothing" in page(admin, address)


def test_a_search_that_failed_is_told_in_its_row_until_it_is_started_again(admin: Client, song: Song):
    asked = {"kind": Job.Kind.SEARCH, "subject": str(song.pk)}
    factories.make_song("Another")
    job = Job.objects.create(**asked, state="failed", failure="The site was away.")
    assert page(admin, "/manage/covers/").count("The site was away.") == 1
    assert job.start_again()
    assert "The site was away." not in page(admin, "/manage/covers/")
    job.fail("The site was away.")
    Job.objects.create(**asked, state="done")
    assert "The site was away." not in page(admin, "/manage/covers/")


def test_hostile_titles_are_shown_as_they_are(admin: Client, song: Song):
    make_candidate(song, title='<script>alert(1)</script>"', channel="<b>")
    told = page(admin, f"/manage/covers/{song.pk}/")
    assert "<script>alert(1)" not in told
    assert "&lt;script&gt;alert(1)" in told


# --- lists


def send_list(admin: Client, data: bytes = LIST.encode(), **fields: Any) -> HttpResponse:
    return admin.post("/api/manage/covers/lists", {"file": SimpleUploadedFile("my.csv", data), **fields})


def test_a_list_is_shown_first_and_then_brought_in(admin: Client):
    told = send_list(admin).json()
    assert (told["dry_run"], told["recordings"]["cover"]) == (True, 2)
    assert not Song.objects.exists()
    answer = send_list(admin, dry_run="false", licence="CC0-1.0")
    assert (answer.status_code, answer.json()["done"]) == (201, {"original": 2, "cover": 2})
    candidate = CoverCandidate.objects.first()
    assert (candidate.found_by, candidate.decided_by.get_username()) == ("my.csv", "admin")
    assert send_list(admin, dry_run="false").json()["done"] == {}


def test_of_many_lines_that_cannot_be_used_the_first_are_told_and_all_offered(admin: Client, monkeypatch):
    monkeypatch.setattr(covers, "PROBLEMS_TOLD", 2)
    monkeypatch.setattr(lists, "MAX_PROBLEMS", 5)
    data = ("title,artist\n" + ",nobody\n" * 8).encode()
    told = send_list(admin, data).json()
    assert (len(told["problems"]), told["problems_in_all"]) == (2, 8)
    answer = send_list(admin, data, only_problems="true")
    assert answer["Content-Disposition"].startswith("attachment")
    rows = list(csv.reader(answer.content.decode().splitlines()))
    assert rows[0] == ["place", "why"]
    assert [place for place, _ in rows[1:]] == [f"line {number}" for number in range(2, 7)] + [""]
    assert rows[-1][1].startswith("3 more")
    assert not Song.objects.exists()


def test_errors_of_a_list_are_sentences(admin: Client, monkeypatch):
    assert send_list(admin, b"").status_code == 400
    answer = send_list(admin, b"a,b\n1,2\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable")
    assert "no title and no artist" in answer.json()["error"]
    monkeypatch.setattr(covers, "MOST_LINES", 3)
    assert "more than 3 recordings" in send_list(admin).json()["error"]
    monkeypatch.setattr(covers, "MOST_BYTES", 10)
    assert "manage.py import_covers" in send_list(admin).json()["error"]
    assert "Choose a list." in admin.post("/api/manage/covers/lists", {}).json()["error"]


# --- losses


def follow(days_of_looks: dict[int, bool], hz: float) -> None:
    """A video that came a thousand days ago, and what was seen of it so many days after."""
    came = timezone.now() - timedelta(days=1000)
    song = factories.make_song(f"Song {hz}")
    video = factories.make_recording(song, "cover", source="youtube", youtube_id=f"{hz:011.0f}", hz=hz)
    Recording.objects.filter(pk=video.pk).update(created_at=came)
    for days, is_there in days_of_looks.items():
        AvailabilityCheck.note(video, is_there, at=came + timedelta(days=days))


def test_losses_are_counted_by_age_and_by_month_and_a_video_that_came_back_is_none(admin: Client):
    assert covers_page.losses().known == 0
    follow({0: True, 100: True, 200: False, 300: False}, 210)
    follow({0: True, 100: False, 200: True, 400: True}, 220)
    follow({0: True, 400: True}, 230)
    follow({20: False}, 240)
    factories.make_recording(factories.make_song("New"), "cover", source="youtube", youtube_id="new-video-0", hz=250)
    found = covers_page.losses()
    assert (found.there, found.gone, found.not_looked_at) == (2, 2, 1)
    months = [(round(month, 1), share) for month, share in found.curve]
    assert months == [(0.0, 1.0), (0.7, 0.75), (6.6, 0.5), (13.1, 0.5)]
    assert found.by_age == [
        ("up to 1 month", 1, 1), ("1 to 6 months", 0, 0), ("6 to 12 months", 1, 1), ("more than a year", 2, 0),
    ]  # fmt: skip
    assert sum(looks for _, looks, _ in found.by_month) == 11
    assert sum(lost for _, _, lost in found.by_month) == 3
    assert "50 %" in page(admin, "/manage/covers/")
