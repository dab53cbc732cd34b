"""Bringing songs in: every odd file is refused or kept with a clear sentence, and nothing else is lost."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.core.files.base import ContentFile
from django.core.management import call_command

from ml_worker.models import Job
from ml_worker.running import run_here
from ml_worker.tests.shared_data import shared_data
from recordings.importing import About, ImportRefused, import_file, import_video, youtube_id_of
from recordings.models import Fragment, Recording, Song
from recordings.tests import factories

pytestmark = pytest.mark.django_db


def wav(samples: np.ndarray, rate: int = 44_100, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def hum_like(seconds: float = 6.0, rate: int = 44_100) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * 220 * times) * (1 + 0.2 * np.sin(2 * np.pi * 0.5 * times))


def bring_in(data: bytes, title: str = "A song") -> Recording:
    recording, _ = import_file(ContentFile(data, "some name.wav"), About(title, "Somebody"))
    run_here(Job.Kind.INGEST, recording.pk)
    recording.refresh_from_db()
    return recording


def test_a_file_is_kept_as_it_came_and_read_losslessly():
    samples = (hum_like() * 20_000).astype(np.int16)
    data = wav(samples)
    recording = bring_in(data)
    assert recording.state == Recording.State.READY
    with recording.upload.open() as stored:
        assert stored.read() == data
    with recording.audio.open() as stored:
        copy, rate = soundfile.read(io.BytesIO(stored.read()), dtype="int16")
    assert rate == 44_100
    assert np.array_equal(copy.reshape(-1), samples)


def test_the_same_file_twice_is_one_recording():
    data = wav(hum_like())
    first = bring_in(data)
    again, is_new = import_file(ContentFile(data, "other name.wav"), About("Other title", "Other artist"))
    assert (again, is_new) == (first, False)
    assert Song.objects.count() == 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"not audio at all, only words" * 40, "audio"),
        (b"\x00" * 5000, "audio"),
        (wav(np.zeros(44_100 * 6)), "silent"),
        (wav(np.full(44_100 * 6, 0.4)), "constant offset"),
        (wav(hum_like(1.0)), "at least 4"),
    ],
    ids=["words", "zero bytes", "silence", "direct current", "one second"],
)
def test_what_is_no_song_fails_in_words_where_it_can_be_mended(data, says):
    good = bring_in(wav(hum_like(7.0)), "A good one")
    recording = bring_in(data, "A bad one")
    assert recording.state == Recording.State.FAILED
    assert says in recording.failure
    assert recording.failure.endswith(".")
    assert Job.objects.get(subject=str(recording.pk)).failure == recording.failure
    good.refresh_from_db()
    assert good.state == Recording.State.READY


def test_an_empty_file_is_refused_at_once():
    with pytest.raises(ImportRefused, match="empty"):
        import_file(ContentFile(b"", "empty.wav"), About("A song", "Somebody"))
    assert not Song.objects.exists()


def test_a_file_of_three_hours_is_refused():
    silence_with_hum = np.tile((hum_like(10, 8000) * 20_000).astype(np.int16), 6 * 60 * 3)
    recording = bring_in(wav(silence_with_hum, 8000))
    assert recording.state == Recording.State.FAILED
    assert "hour" in recording.failure


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (192_000, 1), (44_100, 7)])
def test_odd_rates_and_many_channels_are_taken(rate, channels):
    samples = np.repeat(hum_like(5.0, rate)[:, None], channels, axis=1)
    recording = bring_in(wav(samples, rate))
    assert recording.state == Recording.State.READY, recording.failure
    assert (recording.sample_rate, recording.channels) == (rate, channels)


def test_a_truncated_file_keeps_what_there_is_and_says_so():
    data = wav(hum_like(20.0))
    recording = bring_in(data[: len(data) // 2])
    assert recording.state == Recording.State.READY
    assert recording.duration_s == pytest.approx(10, abs=0.1)
    assert recording.warnings


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dQw4w9WgXcQ", "dQw4w9WgXcQ"),
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3s", "dQw4w9WgXcQ"),
        ("https://youtu.be/dQw4w9WgXcQ?si=abc", "dQw4w9WgXcQ"),
        (" youtube.com/shorts/dQw4w9WgXcQ ", "dQw4w9WgXcQ"),
    ],
)
def test_youtube_ids_are_found_in_addresses(text, found):
    assert youtube_id_of(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "short", "http://127.0.0.1/watch?v=dQw4w9WgXcQ", "file:///etc/passwd", "https://evil.example/dQw4w9WgXcQ"],
)
def test_other_addresses_are_refused(text):
    with pytest.raises(ImportRefused, match="YouTube"):
        import_video(text, About("A song", "Somebody"))


def test_import_song_prints_the_ids(tmp_path: Path, capsys):
    file = tmp_path / "song.wav"
    file.write_bytes(wav(hum_like()))
    call_command("import_song", str(file), title="A song", artist="Somebody", json=True)
    answer = json.loads(capsys.readouterr().out)
    recording = Recording.objects.get(pk=answer["recording"])
    assert str(recording.song_id) == answer["song"]
    assert recording.state == Recording.State.READY


def test_bad_input_at_the_shell_is_one_clear_line(tmp_path: Path, capsys):
    (tmp_path / "words.txt").write_text("words")
    words = tmp_path / "words.txt"
    for path, cover_of in ((tmp_path / "no such file", None), (words, None), (words, "no song")):
        with pytest.raises(SystemExit) as ended:
            call_command("import_song", str(path), title="A song", artist="Somebody", cover_of=cover_of, json=True)
        assert ended.value.code == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.strip().splitlines()) == 1


def test_a_cover_belongs_to_its_song():
    original = factories.make_recording()
    about = About("A song", "A coverer", cover_of=original.song)
    cover, _ = import_file(ContentFile(wav(hum_like()), "cover.wav"), about)
    assert (cover.song, cover.kind) == (original.song, Recording.Kind.COVER)


@pytest.mark.slow
def test_a_full_song_goes_through_import_analysis_and_fragments():
    """songs/ontherun, whole: separation, melody and fragments of 4 to 20 s."""
    with shared_data("songs", "ontherun", "audio.ogg").open("rb") as file:
        recording, _ = import_file(ContentFile(file.read(), "audio.ogg"), About("On the Run", "Joshua Morin"))
    run_here(Job.Kind.INGEST, recording.pk)
    job = run_here(Job.Kind.ANALYSE, recording.pk)
    assert job.state == Job.State.DONE, job.failure
    analysis = recording.analysis
    assert analysis.separation
    assert analysis.tracker.startswith("swift-f0")
    fragments = Fragment.objects.live().filter(recording=recording)
    assert fragments.count() >= 10
    assert all(4 - 1e-3 <= fragment.duration_s <= 20 + 1e-3 for fragment in fragments)
