"""Chroma: which pitch classes are heard."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from ml_worker.audio.chroma import HOP_S, chroma_of_notes, chroma_of_sound, read_chroma
from ml_worker.audio.midi import MidiNote
from ml_worker.audio.sound import Sound, UnusableAudio

RATE = 22_050
C_MAJOR, G_MAJOR = (60, 64, 67), (55, 59, 62)


def chord(numbers: tuple[int, ...], seconds: float) -> np.ndarray:
    at_s = np.arange(round(seconds * RATE)) / RATE
    return sum(np.sin(2 * np.pi * 440 * 2 ** ((number - 69) / 12) * at_s) for number in numbers) / len(numbers)


def strongest_three(energy: np.ndarray) -> set[int]:
    return {int(one) for one in np.argsort(energy)[-3:]}


def test_the_chords_of_a_sound_are_heard_when_they_sound():
    chroma = chroma_of_sound(Sound.from_mono(np.concatenate([chord(C_MAJOR, 2), chord(G_MAJOR, 2)]), RATE))
    assert chroma.duration_s == pytest.approx(4, abs=2 * HOP_S)
    assert strongest_three(chroma.energy[round(1 / HOP_S)]) == {0, 4, 7}
    assert strongest_three(chroma.energy[round(3 / HOP_S)]) == {7, 11, 2}


def test_notes_sound_from_their_beginning_to_their_end_in_their_class():
    chroma = chroma_of_notes([MidiNote(0.0, 1.0, 60), MidiNote(0.5, 1.0, 72), MidiNote(2.0, 3.0, 67)])
    assert chroma.energy[round(0.2 / HOP_S), 0] == 1
    assert chroma.energy[round(0.8 / HOP_S), 0] == 2
    assert not chroma.energy[round(1.5 / HOP_S)].any()
    assert chroma.energy[round(2.5 / HOP_S)].nonzero()[0].tolist() == [7]


def test_a_sound_shorter_than_the_transform_and_one_of_nothing_have_a_frame():
    for samples in (np.zeros(100), np.zeros(0), 0.5 * np.ones(100)):
        energy = chroma_of_sound(Sound.from_mono(samples, RATE)).energy
        assert energy.shape == (1, 12)


def test_a_file_is_read_by_what_it_is(tmp_path: Path):
    (tmp_path / "curve.csv").write_text("0,440\n0.01,440\n", encoding="utf-8")
    assert read_chroma(tmp_path / "curve.csv") is None
    soundfile.write(tmp_path / "chord.wav", chord(C_MAJOR, 2), RATE)
    heard = read_chroma(tmp_path / "chord.wav")
    assert heard
    assert strongest_three(heard.energy.sum(axis=0)) == {0, 4, 7}
    track = mido.MidiTrack([mido.Message("note_on", note=62, time=0), mido.Message("note_off", note=62, time=480)])
    mido.MidiFile(tracks=[track]).save(tmp_path / "note.mid")
    written = read_chroma(tmp_path / "note.mid")
    assert written
    assert written.energy.sum(axis=0).nonzero()[0].tolist() == [2]


def test_a_damaged_midi_file_is_told_so(tmp_path: Path):
    (tmp_path / "broken.mid").write_bytes(b"MThd\x00\x00")
    with pytest.raises(UnusableAudio, match=r"broken\.mid is not a MIDI file"):
        read_chroma(tmp_path / "broken.mid")
