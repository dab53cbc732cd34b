"""The admin's songs: found and filtered, one song with all that is known of it, and its phrases edited."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
import soundfile
from django.test import Client
from django.utils import timezone

from annotation.models import Lease, Slot
from ml_worker import chain
from ml_worker.models import Job
from ml_worker.song_list import SongState, found
from recordings.models import CoverFragment, Fragment, Humming, Recording
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def original() -> Recording:
    recording = factories.make_recording(seconds=30.0)
    factories.make_analysis(recording)
    return recording


# --- the list


def test_songs_are_found_by_words_of_title_and_artist(admin: Client):
    factories.make_song("Auld Lang Syne", "Trad. Scottish")
    factories.make_song("Ode to Joy", "Beethoven")
    assert [song.title for song in found("scottish auld")] == ["Auld Lang Syne"]
    page = admin.get("/manage/songs/", {"q": "beethoven"}).content.decode()
    assert "Ode to Joy" in page
    assert "Auld Lang Syne" not in page
    assert "No song is like that." in admin.get("/manage/songs/", {"q": "nothing of the kind"}).content.decode()


def test_every_song_has_the_state_that_keeps_it_from_being_hummed(original: Recording):
    def state(recording: Recording) -> str:
        return found().get(pk=recording.song_id).state

    assert state(original) == SongState.NO_FRAGMENTS
    factories.make_fragment(original)
    assert state(original) == SongState.READY
    assert state(factories.make_recording(factories.make_song("Unheard"))) == SongState.ANALYSING
    waiting = Recording.objects.create(song=factories.make_song("New"), kind="original", source="file")
    assert state(waiting) == SongState.PREPARING
    waiting.fail("This is not audio.")
    assert state(waiting) == SongState.FAILED
    original.song.taken_down_at = timezone.now()
    original.song.save()
    assert state(original) == SongState.TAKEN_DOWN
    assert found().get(pk=factories.make_song("Empty").pk).state == SongState.NO_ORIGINAL
    assert [song.title for song in found(state=SongState.FAILED)] == ["New"]


def test_a_song_whose_job_failed_does_not_pretend_to_be_under_way(admin: Client):
    recording = Recording.objects.create(song=factories.make_song(), kind="original", source="generated", tune="a")
    job = Job.ask(Job.Kind.RENDER, recording.pk)
    job.fail("There is no tune of that name any more.")
    assert found().get().state == SongState.FAILED
    assert "There is no tune of that name any more." in admin.get("/manage/songs/").content.decode()
    assert chain.songs().waiting == 0
    job.start_again()
    assert found().get().state == SongState.PREPARING
    assert chain.songs().waiting == 1


def test_the_list_counts_covers_phrases_slots_and_hums(original: Recording, settings):
    settings.SLOTS_PER_FRAGMENT = 3
    fragment = factories.make_fragment(original)
    factories.make_fragment(original, 8, 14).retire()
    factories.make_recording(original.song, Recording.Kind.COVER, hz=330.0)
    factories.make_recording(original.song, Recording.Kind.COVER, hz=440.0)
    Slot.lay_out()
    slot = fragment.slots.first()
    slot.humming = factories.make_humming(fragment)
    slot.save()
    factories.make_humming(fragment, state=Humming.State.REFUSED)
    song = found().get()
    assert (song.covers, song.fragments, song.slots, song.filled, song.accepted) == (2, 1, 3, 1, 1)


def test_an_empty_catalogue_leads_to_the_import(admin: Client):
    assert "There are no songs yet." in admin.get("/manage/songs/").content.decode()


# --- one song


def page_of(admin: Client, recording: Recording) -> str:
    return admin.get(f"/manage/songs/{recording.song_id}/").content.decode()


def test_a_song_shows_its_recordings_with_their_trouble(admin: Client, original: Recording):
    cover = factories.make_recording(original.song, Recording.Kind.COVER, hz=330.0, warnings=["It is clipped."])
    Job.ask(Job.Kind.ANALYSE, cover.pk).fail("Its melody could not be heard.")
    page = page_of(admin, original)
    assert "It is clipped." in page
    assert "Its melody could not be heard." in page
    assert "swift-f0" in page
    assert "Start again" in page


def test_a_song_that_is_being_read_says_so_and_has_no_editor_yet(admin: Client):
    recording = Recording.objects.create(song=factories.make_song(), kind="original", source="file")
    page = page_of(admin, recording)
    assert "waits to be read" in page
    assert "data-live-open" in page
    assert "editor-data" not in page


def test_what_was_found_in_covers_stands_with_correlation_and_state(admin: Client, original: Recording):
    fragment = factories.make_fragment(original)
    factories.make_cover_fragment(fragment, state=CoverFragment.State.DOUBTFUL, correlation=0.61, null_level=0.4)
    page = page_of(admin, original)
    assert "0.61" in page
    assert "to be double-checked" in page


def test_why_a_song_cannot_be_mined_is_said(admin: Client, original: Recording):
    assert "It has no cover that is ready and analysed yet." in page_of(admin, original)
    factories.make_analysis(factories.make_recording(original.song, Recording.Kind.COVER, hz=330.0))
    assert "Its original has no fragments yet." in page_of(admin, original)
    factories.make_fragment(original)
    assert 'id="mine-why"' not in page_of(admin, original)


# --- its phrases


def add(admin: Client, recording: Recording, start_s: float | str, end_s: float | str):
    address = f"/api/manage/recordings/{recording.pk}/fragments"
    return admin.post(address, {"start_s": start_s, "end_s": end_s}, content_type="application/json")


def move(admin: Client, fragment: Fragment | str, start_s: float, end_s: float):
    address = f"/api/manage/fragments/{getattr(fragment, 'pk', fragment)}"
    return admin.patch(address, {"start_s": start_s, "end_s": end_s}, content_type="application/json")


def test_a_phrase_is_added_by_hand(admin: Client, original: Recording):
    added = add(admin, original, 2.5, 9.0).json()
    assert (added["start_s"], added["end_s"], added["origin"], added["fixed"]) == (2.5, 9.0, "person", False)
    listed = admin.get(f"/api/manage/recordings/{original.pk}/fragments").json()["fragments"]
    assert [one["id"] for one in listed] == [added["id"]]


@pytest.mark.parametrize(
    ("start_s", "end_s", "sentence"),
    [
        (2, 5, "A fragment lasts between 4 and 20 seconds."),
        (2, 23, "A fragment lasts between 4 and 20 seconds."),
        (25, 31, "The recording ends at 30.0 s."),
        (9, 2, "The end lies before the start."),
        (2, "nan", "end_s: A valid number is required."),
        (2, "inf", "end_s: A valid number is required."),
    ],
)
def test_bounds_that_are_none_are_refused_in_words(admin: Client, original: Recording, start_s, end_s, sentence):
    answer = add(admin, original, start_s, end_s)
    assert answer.status_code in (400, 422)
    assert answer.json()["error"] == sentence
    assert not Fragment.objects.exists()


def test_a_phrase_that_nobody_was_handed_is_moved_in_place(admin: Client, original: Recording):
    fragment = factories.make_fragment(original)
    assert move(admin, fragment, 3, 9).json()["id"] == str(fragment.pk)
    fragment.refresh_from_db()
    assert (fragment.start_s, fragment.end_s) == (3, 9)


def test_a_phrase_with_takes_keeps_them_and_a_new_one_moves(admin: Client, original: Recording):
    fragment = factories.make_fragment(original)
    take = factories.make_humming(fragment)
    moved = move(admin, fragment, 3, 9).json()
    fragment.refresh_from_db()
    take.refresh_from_db()
    assert moved["id"] != str(fragment.pk)
    assert fragment.retired_at is not None
    assert (take.fragment_id, fragment.start_s, fragment.end_s) == (fragment.pk, 1, 6)
    assert list(original.fragments.live().values_list("start_s", "end_s")) == [(3, 9)]


def test_a_phrase_that_somebody_was_handed_keeps_its_bounds(admin: Client, original: Recording):
    """A take may come after its lease has ended; it is judged against what the singer heard."""
    fragment = factories.make_fragment(original)
    Slot.lay_out()
    Lease.objects.create(
        slot=fragment.slots.first(),
        person=factories.make_person("alice"),
        expires_at=timezone.now() - timedelta(hours=1),
    )
    assert move(admin, fragment, 3, 9).json()["id"] != str(fragment.pk)
    fragment.refresh_from_db()
    assert (fragment.start_s, fragment.end_s) == (1, 6)


def test_a_refused_move_of_a_phrase_with_takes_changes_nothing(admin: Client, original: Recording):
    fragment = factories.make_fragment(original)
    factories.make_humming(fragment)
    assert move(admin, fragment, 3, 4).status_code == 422
    fragment.refresh_from_db()
    assert fragment.retired_at is None
    assert Fragment.objects.count() == 1


def test_a_removed_phrase_is_put_back_by_undo(admin: Client, original: Recording):
    fragment = factories.make_fragment(original)
    address = f"/api/manage/fragments/{fragment.pk}"
    assert admin.delete(address).status_code == 204
    assert not original.fragments.live().exists()
    assert admin.post(address).json()["id"] == str(fragment.pk)
    assert original.fragments.live().get() == fragment


# --- its sound and picture


def test_an_interval_is_heard_to_the_sample(admin: Client, original: Recording):
    address = f"/api/manage/recordings/{original.pk}/audio"
    part = admin.get(address, {"start_s": 20, "end_s": 40}).content
    samples, rate = soundfile.read(io.BytesIO(part), dtype="int16")
    with original.audio.open() as whole:
        expected, _ = soundfile.read(whole, dtype="int16", start=20 * rate)
    assert (samples == expected).all()


def test_the_whole_recording_is_streamed_as_it_is_stored(admin: Client, original: Recording):
    answer = admin.get(f"/api/manage/recordings/{original.pk}/audio")
    sent = b"".join(answer.streaming_content)
    with original.audio.storage.open(original.audio.name) as whole:
        assert sent == whole.read()
    assert answer["Cache-Control"].startswith("private")


@pytest.mark.parametrize(
    ("interval", "status"), [((31, 40), 422), ((5, 2), 400), (("a", 2), 400), ((-1, 2), 400), (("nan", 2), 400)]
)
def test_an_interval_that_is_none_is_refused(admin: Client, original: Recording, interval, status):
    start_s, end_s = interval
    asked = {"start_s": start_s, "end_s": end_s}
    assert admin.get(f"/api/manage/recordings/{original.pk}/audio", asked).status_code == status


def test_the_waveform_is_fine_enough_to_zoom_in(admin: Client, original: Recording):
    answer = admin.get(f"/api/manage/recordings/{original.pk}/peaks").json()
    assert answer["duration_s"] == 30.0
    assert len(answer["peaks"]) == 30 * 50
    assert max(answer["peaks"]) == pytest.approx(0.5, abs=0.02)


def test_the_melody_lies_on_the_same_time_axis(admin: Client, original: Recording):
    curve = admin.get(f"/api/manage/recordings/{original.pk}/curve").json()
    assert len(curve["pitch"]) * curve["hop_s"] == pytest.approx(30.0, abs=0.05)
    assert curve["pitch"][100] == 57.0
