"""Bringing recordings in by the admin's page: with and without its script, and every error at its field."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from recordings.models import Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db

TYPED = {"source": "file", "title": "Ode to Joy", "artist": "Beethoven", "licence": "CC0-1.0"}


def a_file(name: str = "../../ode.wav", data: bytes | None = None) -> SimpleUploadedFile:
    data = factories.audio_file(factories.tone(5.0)) if data is None else data
    return SimpleUploadedFile(name, data, "audio/wav")


def bring(admin: Client, **fields: Any) -> HttpResponse:
    """As the page's script sends it."""
    return admin.post("/manage/import/", TYPED | fields, headers={"accept": "application/json"})


def errors_of(answer: HttpResponse) -> dict[str, list[str]]:
    assert answer.status_code == 422
    assert not Recording.objects.exists()
    return answer.json()["errors"]


def test_a_file_becomes_a_song_with_an_original_that_waits_to_be_read(admin: Client):
    answer = bring(admin, file=a_file())
    recording = Recording.objects.get()
    assert (answer.status_code, answer.json()["url"]) == (201, f"/manage/songs/{recording.song_id}/")
    assert (recording.kind, recording.state, recording.song.title) == ("original", "waiting", "Ode to Joy")
    assert recording.upload.name == f"recordings/{recording.pk}/as-it-came"
    page = admin.get(answer.json()["url"]).content.decode()
    assert "it is being read now" in page


def test_the_form_works_without_its_script(admin: Client):
    answer = admin.post("/manage/import/", TYPED | {"file": a_file()})
    assert (answer.status_code, answer["Location"]) == (302, f"/manage/songs/{Song.objects.get().pk}/")


def test_without_its_script_an_error_stands_at_its_field_and_what_was_typed_stays(admin: Client):
    answer = admin.post("/manage/import/", TYPED)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Choose a file with sound in it." in page
    assert 'value="Ode to Joy"' in page


def test_the_same_file_twice_is_one_recording_and_says_so(admin: Client):
    bring(admin, file=a_file())
    again = bring(admin, file=a_file("other-name.wav"), title="Another title")
    assert again.status_code == 201
    assert Recording.objects.count() == Song.objects.count() == 1
    assert "it was brought in before" in admin.get(again.json()["url"]).content.decode()


def test_a_cover_needs_no_title_of_its_own(admin: Client):
    song = factories.make_song()
    bring(admin, file=a_file(), cover_of=str(song.pk), title="", artist="A choir")
    cover = Recording.objects.get()
    assert (cover.kind, cover.song, cover.artist) == ("cover", song, "A choir")


def test_the_song_of_a_cover_is_chosen_already_when_one_comes_from_its_page(admin: Client):
    song = factories.make_song()
    page = admin.get("/manage/import/", {"cover_of": song.pk}).content.decode()
    assert f'<option value="{song.pk}" selected>' in page


def test_a_video_is_named_by_its_address(admin: Client):
    answer = bring(admin, source="youtube", youtube="https://youtu.be/dQw4w9WgXcQ?t=3")
    assert answer.status_code == 201
    assert (Recording.objects.get().source, Recording.objects.get().youtube_id) == ("youtube", "dQw4w9WgXcQ")


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({}, "file", "Choose a file with sound in it."),
        ({"source": "youtube"}, "youtube", "Name the video, by its address or its id."),
        ({"source": "youtube", "youtube": "https://example.org/x"}, "youtube", "This is neither a YouTube id"),
        ({"title": ""}, "title", "A song needs a title."),
        ({"artist": " "}, "artist", "Name who plays or sings it."),
        ({"redistributable": "on", "licence": ""}, "licence", "Name the licence that allows it."),
        ({"cover_of": "00000000-0000-0000-0000-000000000000"}, "cover_of", "Select a valid choice."),
        ({"title": "x" * 301}, "title", "Ensure this value has at most 300 characters"),
    ],
)
def test_each_error_is_told_at_its_field(admin: Client, fields: dict[str, str], field: str, sentence: str):
    assert errors_of(bring(admin, **fields))[field][0].startswith(sentence)


def test_an_empty_file_is_refused_at_its_field(admin: Client):
    assert "file" in errors_of(bring(admin, file=a_file(data=b"")))


def test_a_file_that_is_too_large_is_refused_in_words(admin: Client, settings):
    settings.MAX_IMPORT_BYTES = 1000
    assert "larger than" in errors_of(bring(admin, file=a_file()))["file"][0]


def test_a_song_that_was_taken_down_takes_no_covers(admin: Client):
    song = factories.make_song()
    Song.objects.filter(pk=song.pk).update(taken_down_at=song.created_at)
    assert "cover_of" in errors_of(bring(admin, file=a_file(), cover_of=str(song.pk)))
