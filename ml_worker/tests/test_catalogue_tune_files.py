"""Tunes read from MIDI files: the melody, note by note, from folders and archives that need not be trusted."""

import io
import zipfile
from itertools import pairwise

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.audio.melody_files import melody_of_midi
from ml_worker.catalogue.tune_files import LARGEST_FILE_BYTES, UNREADABLE, melody_notes, one_at_a_time, read_tunes
from ml_worker.catalogue.voice import TimedNote
from ml_worker.tests.shared_data import shared_data

TICKS = 480
TUNE = [(0, 60), (1, 62), (2, 62), (3, 64)]


def track(notes, name="", channel=0, beats=1.0):
    """A track of notes (start in beats, pitch), each so many beats long."""
    made = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    events = [(start, 1, pitch) for start, pitch in notes] + [(start + beats, 0, pitch) for start, pitch in notes]
    ticks = 0
    for at, is_on, pitch in sorted(events):
        kind = "note_on" if is_on else "note_off"
        made.append(mido.Message(kind, channel=channel, note=pitch, time=round(at * TICKS) - ticks))
        ticks = round(at * TICKS)
    return made


def midi(*tracks):
    file = io.BytesIO()
    mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=list(tracks)).save(file=file)
    return file.getvalue()


def archive(path, contents):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


# --- the melody of a file


def test_notes_have_their_seconds_and_pitches():
    assert melody_notes(midi(track(TUNE))) == [(0.5 * start, 0.5 * start + 0.5, pitch) for start, pitch in TUNE]


def test_tempo_changes_on_another_track_count():
    tempo = [mido.MetaMessage("set_tempo", tempo=1_000_000), mido.MetaMessage("set_tempo", tempo=250_000, time=960)]
    notes = melody_notes(midi(mido.MidiTrack(tempo), track(TUNE)))
    assert [note.start_s for note in notes] == pytest.approx([0, 1, 2, 2.25])
    assert notes[-1].end_s == pytest.approx(2.5)


def test_the_melody_is_the_track_named_so_and_else_the_highest():
    low, high, drums = track(TUNE), track([(0, 90)]), track([(0, 100)], channel=9)
    named = track(TUNE, name="Lead Vocals")
    assert len(melody_notes(midi(low, high, drums))) == 1
    assert len(melody_notes(midi(named, high, drums))) == len(TUNE)


def test_of_a_chord_the_top_note_remains():
    chords = [(start, pitch - below) for start, pitch in TUNE for below in (0, 4, 7)]
    assert melody_notes(midi(track(chords))) == melody_notes(midi(track(TUNE)))


def test_a_note_under_a_held_one_is_heard_after_it():
    held, under, passing = TimedNote(0, 4, 72), TimedNote(1, 6, 60), TimedNote(2, 3, 64)
    assert one_at_a_time([held, under, passing]) == [held, TimedNote(4, 6, 60)]


def test_notes_that_are_slurred_keep_their_starts():
    slurred = [TimedNote(0, 1.05, 64), TimedNote(1, 2.05, 62), TimedNote(2, 3, 62), TimedNote(3, 4, 65)]
    line = one_at_a_time(slurred)
    assert [note.start_s for note in line] == [0, 1, 2, 3]
    assert [note.pitch for note in line] == [64, 62, 62, 65]


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.03, 5), st.integers(40, 80)), min_size=1, max_size=30))
def test_a_line_is_in_order_and_never_above_or_below_what_sounds(drawn):
    notes = [TimedNote(start, start + length, pitch) for start, length, pitch in drawn]
    line = one_at_a_time(notes)
    for before, after in pairwise(line):
        assert before.end_s <= after.start_s
    for part in line:
        assert any(n.pitch == part.pitch and n.start_s <= part.start_s and part.end_s <= n.end_s for n in notes)
    highest = max(notes, key=lambda n: (n.pitch, n.end_s))
    assert max(part.pitch for part in line) == highest.pitch


def test_it_is_the_melody_that_searching_and_evaluation_use(tmp_path):
    """The pitch curve of a MIDI file and its notes are one melody."""
    path = tmp_path / "tune.mid"
    path.write_bytes(midi(track(TUNE), track([(start, 40) for start, _ in TUNE])))
    curve = melody_of_midi(path)
    for note in melody_notes(path.read_bytes()):
        middle = round((note.start_s + note.end_s) / 2 / curve.hop_s)
        assert 69 + 12 * np.log2(curve.f0_hz[middle] / 440) == pytest.approx(note.pitch, abs=1e-3)


# --- folders and archives


def test_folders_and_archives_within_a_folder_are_read(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "one.mid").write_bytes(midi(track(TUNE)))
    (tmp_path / "notes.txt").write_text("no tune")
    archive(tmp_path / "b.zip", {"x/two.MID": midi(track(TUNE)), "x/LICENSE": b"words"})
    read = read_tunes(tmp_path)
    assert [score.name for score in read.scores] == ["one", "two"]
    assert not read.skipped
    assert read_tunes(tmp_path / "b.zip").scores == read.scores[1:]


def test_names_that_are_taken_get_a_number(tmp_path):
    path = archive(tmp_path / "a.zip", {f"{folder}/song.mid": midi(track(TUNE)) for folder in "xyz"})
    assert [score.name for score in read_tunes(path).scores] == ["song", "song (2)", "song (3)"]


def test_files_that_cannot_be_read_are_named_and_the_others_read(tmp_path):
    contents = {
        "broken.mid": midi(track(TUNE))[:40],
        "empty.mid": b"",
        "good.mid": midi(track(TUNE)),
        "huge.mid": bytes(LARGEST_FILE_BYTES + 1),
        "long.mid": midi(track([(0, 60), (8000, 60)])),
        "silent.mid": midi(track([])),
    }
    archive(tmp_path / "a.zip", contents)
    (tmp_path / "b.zip").write_bytes(b"no archive")
    read = read_tunes(tmp_path)
    assert [score.name for score in read.scores] == ["good"]
    bad = [f"a.zip/{name}" for name in contents if name != "good.mid"]
    assert sorted(read.skipped) == sorted([*bad, "b.zip"])
    assert "no notes" in read.skipped["a.zip/silent.mid"]
    assert "longer than an hour" in read.skipped["a.zip/long.mid"]
    assert "too large" in read.skipped["a.zip/huge.mid"]


@pytest.mark.parametrize("name", ["../../etc/tune.mid", "/root/tune.mid", "..\\..\\tune.mid", "C:\\tune.mid"])
def test_a_path_of_an_archive_is_only_a_name(tmp_path, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    read = read_tunes(archive(inside / "a.zip", {name: midi(track(TUNE))}))
    assert [score.name for score in read.scores] == ["tune"]
    assert [path.name for path in tmp_path.rglob("*")] == ["inside", "a.zip"]


@pytest.mark.parametrize("name", ["...mid", "x/..  .mid", "\x07.mid"])
def test_a_name_without_letters_is_replaced(tmp_path, name):
    assert read_tunes(archive(tmp_path / "a.zip", {name: midi(track(TUNE))})).scores[0].name == "tune"


def test_what_is_no_source_of_tunes_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder or archive"):
        read_tunes(tmp_path / "missing")
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="neither a folder"):
        read_tunes(tmp_path / "a.wav")


@given(st.data())
def test_a_damaged_file_gives_notes_or_a_reason(data):
    content = bytearray(midi(mido.MidiTrack([mido.MetaMessage("key_signature", key="D")]), track(TUNE)))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        notes = melody_notes(bytes(content))
    except UNREADABLE:
        return
    assert notes
    assert all(note.end_s > note.start_s for note in notes)


@pytest.mark.parametrize(("name", "tunes"), [("cre.zip", 1195), ("pop909.zip", 49)])
def test_real_archives_are_read_whole(name, tunes):
    read = read_tunes(shared_data("melodies", name))
    assert len(read.scores) == tunes
    assert not read.skipped
    assert all(len(score.notes) > 10 for score in read.scores)
    assert len({score.name for score in read.scores}) == tunes
