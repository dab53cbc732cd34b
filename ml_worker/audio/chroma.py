"""Chroma: how strongly each of the twelve pitch classes sounds. It hears harmony where a melody fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.decode import decode
from ml_worker.audio.melody_files import BAD_MIDI, CURVE_ENDINGS
from ml_worker.audio.midi import MIDI_ENDINGS, MidiNote, tracks_of
from ml_worker.audio.sound import Sound, UnusableAudio

# Rate and hop of the constant-Q transform, Hz and samples: seven octaves halve the hop six times, and a sixteenth note
# at 120 a minute still has three frames.
RATE, HOP = 22_050, 896
HOP_S = HOP / RATE
# As long as its longest filter, samples.
LEAST_SAMPLES = 3 * RATE


@dataclass(frozen=True)
class Chroma:
    """The pitch classes of a recording.

    Attributes:
        energy: float32 (N, 12), from C, a frame every HOP_S; 0 and above, on a scale of its own.
    """

    energy: NDArray[np.float32]

    @property
    def duration_s(self) -> float:
        return len(self.energy) * HOP_S


def chroma_of_sound(sound: Sound) -> Chroma:
    """Of audio, by a constant-Q transform (Schörkhuber and Klapuri, SMC 2010) as librosa has it."""
    import librosa

    mono = sound.resampled(RATE).mono()
    frames = len(mono) // HOP + 1
    if not mono.any():
        return Chroma(np.zeros((frames, 12), dtype=np.float32))
    # The transform of less than its longest filter would only warn; silence after it changes nothing.
    padded = np.pad(mono, (0, max(0, LEAST_SAMPLES - len(mono))))
    energy = librosa.feature.chroma_cqt(y=padded, sr=RATE, hop_length=HOP, norm=None)
    return Chroma(energy.T[:frames].astype(np.float32))


def chroma_of_notes(notes: Sequence[MidiNote]) -> Chroma:
    """Of notes: how many of each pitch class sound in each frame."""
    last_s = max((note.end_s for note in notes), default=0.0)
    energy = np.zeros((round(last_s / HOP_S) + 1, 12), dtype=np.float32)
    for note in notes:
        energy[round(note.start_s / HOP_S) : round(note.end_s / HOP_S), note.number % 12] += 1
    return Chroma(energy)


def read_chroma(path: Path) -> Chroma | None:
    """The chroma of a file with a sound or notes; None of a pitch curve, which has no harmony.

    Raises:
        UnusableAudio: with a sentence, where the file cannot be read.
    """
    ending = path.suffix.lower()
    if ending in CURVE_ENDINGS:
        return None
    if ending not in MIDI_ENDINGS:
        return chroma_of_sound(decode(path, max_rate=RATE))
    try:
        tracks = tracks_of(mido.MidiFile(path, clip=True))
    except BAD_MIDI as problem:
        raise UnusableAudio(f"{path.name} is not a MIDI file that we can read: {problem}.") from problem
    return chroma_of_notes([note for track in tracks for note in track.notes])
