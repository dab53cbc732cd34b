"""Real recordings whose notes are known: what of them is read, and how a note is counted."""

from __future__ import annotations

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.audio.midi import MidiNote, tracks_of
from ml_worker.audio.trackers import track_melody
from ml_worker.mining.align import PITCH_CURVE, Aligned, shipped_methods
from ml_worker.mining.real import NEAR_S, mozart, near_and_nowhere, read_match, rendered, sir_duke
from ml_worker.tests.shared_data import shared_data

MATCH = """info(midiClockUnits,480).
info(midiClockRate,500000).
snote(n1-1,[D,n],5,1:1,0,1/16,0.0000,0.2500,[v1,staff1])-note(n1,74,960,1000,72,1,1).
snote(n13-1,[F,#],5,2:1,1/8,1/16,2.5000,2.7500,[v1,staff1])-note(n13,78,1920,1950,52,1,1).
snote(n14-1,[F,#],5,2:1,1/8,1/16,2.5000,2.7500,[v1,staff1])-deletion.
insertion-note(n137,81,13852,13931,23,1,1).
sustain(21,127).
"""


def aligned(a: tuple[float, float], b: tuple[float, float]) -> Aligned:
    return {"a": list(a), "b": list(b), "correlation": 0.9, "tempo_ratio": 1.0}


def test_a_match_file_gives_the_notes_that_were_played():
    first, second = read_match(MATCH)
    assert (first.number, first.beats, first.start_s) == (74, (0.0, 0.25), 1.0)
    assert (second.number, second.beats, second.start_s) == (78, (2.5, 2.75), 2.0)


def test_without_the_length_of_a_tick_there_are_no_seconds():
    with pytest.raises(ValueError, match="midiClockUnits"):
        read_match("\n".join(MATCH.splitlines()[1:]))


def test_the_midi_file_is_the_performance_that_the_match_file_tells_of():
    folder = shared_data("alignment", "mozart_k265")
    matched = read_match((folder / "mozart_k265_var1.match").read_text(encoding="utf-8"))
    assert len(matched) == 218
    tracks = tracks_of(mido.MidiFile(folder / "mozart_k265_var1.mid"))
    performed = {(note.number, round(note.start_s, 4)) for track in tracks for note in track.notes}
    assert {(note.number, round(note.start_s, 4)) for note in matched} <= performed


@given(st.lists(st.floats(0, 40), max_size=30), st.floats(-1, 1))
def test_a_note_is_near_where_its_fragment_says_so_and_nowhere_outside_all(notes_s, off_s):
    found = [aligned((0, 10), (5, 15)), aligned((20, 30), (30, 50))]
    said_s = [note_s + 5 if note_s <= 10 else 30 + 2 * (note_s - 20) for note_s in notes_s]
    inside = [note_s <= 10 or 20 <= note_s <= 30 for note_s in notes_s]
    near, nowhere = near_and_nowhere(notes_s, [one_s + off_s for one_s in said_s], found)
    assert nowhere == inside.count(False)
    if abs(abs(off_s) - NEAR_S) > 1e-6:
        assert near == (inside.count(True) if abs(off_s) < NEAR_S else 0)


def test_what_is_rendered_is_heard_as_it_was_written():
    notes = [MidiNote(0.5 * at, 0.5 * at + 0.45, number) for at, number in enumerate((67, 69, 71, 72))]
    melody = track_melody(rendered(notes))
    for note in notes:
        heard = melody.cut(note.start_s + 0.1, note.start_s + 0.3)
        assert heard.voiced.mean() > 0.9
        assert heard.f0_hz[heard.voiced] == pytest.approx(440 * 2 ** ((note.number - 69) / 12), rel=0.02)


def test_a_line_is_said_of_each_pair_of_takes():
    shared_data("alignment", "sir_duke")
    lines = list(sir_duke([PITCH_CURVE]))
    assert len(lines) == 6
    assert any("trumpet_fast against trumpet_slow" in line and "tempo ratio 1." in line for line in lines)


def test_a_piano_under_a_left_hand_is_followed_by_its_harmony():
    shared_data("alignment", "mozart_k265")
    rendered_midi = next(line for line in mozart(shipped_methods()) if line.startswith("its MIDI, rendered"))
    near = int(rendered_midi.split(": ")[1].split(" of ")[0])
    assert near >= 0.95 * 218


def test_where_the_data_are_not_it_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr("ml_worker.mining.real.DATA", tmp_path)
    for said in (sir_duke([PITCH_CURVE]), mozart([PITCH_CURVE])):
        (line,) = said
        assert "CHAD_SHARED_DATA" in line
