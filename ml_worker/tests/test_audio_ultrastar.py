"""song.txt is read as notes with seconds and MIDI pitch, in phrases."""

import numpy as np
import pytest

from ml_worker.audio.ultrastar import parse_song, read_song
from ml_worker.tests.shared_data import shared_data

SONG = """#TITLE:On the run
#BPM:300,5
#GAP:1000
: 0 4 9 So
* 10 2 -3  far
- 14
F 20 4 0  spoken
: 30 4 12 ~
E
: 99 1 1 after the end
"""
TICK_S = 60 / 300.5 / 4


def test_notes_have_seconds_and_midi_pitch():
    notes = parse_song(SONG).notes
    assert [note.pitch for note in notes] == [69, 57, None, 72]
    assert notes[0].start_s == pytest.approx(1.0)
    assert notes[1].start_s == pytest.approx(1.0 + 10 * TICK_S)
    assert notes[1].end_s == pytest.approx(1.0 + 12 * TICK_S)


def test_syllables_keep_the_space_that_parts_words():
    assert [note.syllable for note in parse_song(SONG).notes] == ["So", " far", " spoken", "~"]


def test_phrases_end_at_the_dashes():
    song = parse_song(SONG)
    assert [len(phrase) for phrase in song.phrases] == [2, 2]
    assert song.phrase_bounds()[1][1] == pytest.approx(1.0 + 34 * TICK_S)


def test_pitch_at_a_time():
    pitch = parse_song(SONG).pitch_at(np.array([0.5, 1.01, 1.0 + 21 * TICK_S, 1.0 + 31 * TICK_S]))
    np.testing.assert_array_equal(pitch, [np.nan, 69, np.nan, 72])


@pytest.mark.parametrize("line", [": one 2 3 la", ": 1 2"])
def test_a_wrong_line_is_named(line):
    with pytest.raises(ValueError, match="line 2 is not UltraStar's"):
        parse_song(f"#BPM:300\n{line}\n")


def test_notes_before_the_tempo_are_an_error():
    with pytest.raises(ValueError, match="BPM"):
        parse_song(": 0 1 2 la\n")


def test_old_files_in_code_page_1252(tmp_path):
    path = tmp_path / "song.txt"
    path.write_bytes("#TITLE:Frère\n#BPM:200\n: 0 4 0 Frè\n".encode("cp1252"))
    assert read_song(path).headers["TITLE"] == "Frère"


@pytest.mark.parametrize(
    ("name", "notes", "phrases", "first_s"), [("ontherun", 333, 53, 11.25), ("mrfancypants", 256, 41, None)]
)
def test_real_songs(name, notes, phrases, first_s):
    song = read_song(shared_data("songs", name, "song.txt"))
    assert (len(song.notes), len(song.phrases)) == (notes, phrases)
    starts = [note.start_s for note in song.notes]
    assert starts == sorted(starts)
    assert first_s is None or starts[0] == pytest.approx(first_s)
