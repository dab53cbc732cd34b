"""How well beginnings of notes are heard: `python -m ml_worker.audio.measure attacks`.

`mir_eval.onset` within 0.1 s, on vocadito_1 (mean over its two annotators) and on simulated hums with repeated notes
(synthetic), against two baselines: what the pitch curve alone gives (starts of voiced runs, steps), and librosa's
onsets. The hums from TUNES on had no part in any choice of setting. The second half of vocadito_1 is not quite held
out: it was seen while STEP_S and APART_S were chosen (`ml_worker.audio.attack`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.attack import APART_S, attack_signs
from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import RATE, at_rate, track_melody
from ml_worker.catalogue.singer import sing

# A beginning is right within this; seconds.
TOLERANCE_S = 0.1

# An attack is a beginning from this on; 0..1.
BEGINS_FROM = 0.5

# vocadito_1: its audio, its annotations, and where its second half begins; seconds.
AUDIO = "hums/vocadito/Audio/vocadito_1.wav"
NOTES = "hums/vocadito/Annotations/Notes/vocadito_1_notesA{}.csv"
SECOND_HALF_S = 16.6

# Simulated hums: the first seed that no setting was chosen on, and how many; notes, and how likely each repeats.
TUNES, TUNE_COUNT = 15, 15
TUNE_NOTES, REPEATS = 24, 0.35

# What they are heard in, by the names of measure.CONDITIONS.
CONDITIONS = ("clean", "telephone band", "white noise at 10 dB", "reverberation")

Times = NDArray[np.floating]


def measure_attacks(data: Path) -> Iterator[dict[str, Any]]:
    """F, precision and recall of each method in each condition."""
    import mir_eval

    from ml_worker.audio.measure import in_condition

    voices = {
        "vocadito_1, second half": [_second_half(data)],
        "simulated hums": [_hum(TUNES + k) for k in range(TUNE_COUNT)],
    }
    for name, takes in voices.items():
        for condition in CONDITIONS:
            found: dict[str, list[Times]] = {}
            for sound, truths in takes:
                for method, times in _heard(in_condition(sound, condition)).items():
                    scores = [mir_eval.onset.f_measure(truth, times, window=TOLERANCE_S) for truth in truths]
                    found.setdefault(method, []).append(np.mean(scores, axis=0))
            for method, scores in found.items():
                f_measure, precision, recall = np.mean(scores, axis=0)
                yield {
                    "what": method,
                    "on": f"{name}, {condition}",
                    "F": float(f_measure),
                    "precision": float(precision),
                    "recall": float(recall),
                }


def _heard(sound: Sound) -> dict[str, Times]:
    import librosa

    melody = track_melody(sound)
    mono = at_rate(sound, RATE)
    hop = round(melody.hop_s * RATE)
    return {
        "attack": beginnings(melody),
        "pitch alone": _of_pitch(melody, mono, hop),
        "librosa": librosa.onset.onset_detect(y=mono, sr=RATE, hop_length=hop, units="time"),
    }


def beginnings(melody: Melody) -> Times:
    """When notes begin by the melody's attack, seconds."""
    attack = np.pad(melody.attack, 1)
    top = (attack[1:-1] >= BEGINS_FROM) & (attack[1:-1] >= attack[:-2]) & (attack[1:-1] > attack[2:])
    return np.flatnonzero(top) * melody.hop_s


def _of_pitch(melody: Melody, mono: NDArray[np.float32], hop: int) -> Times:
    """Starts of voiced runs, and steps of more than about a semitone, none nearer than APART_S."""
    signs = attack_signs(mono, RATE, hop, melody.pitch())
    times: list[float] = []
    for frame in np.flatnonzero((signs["start"] > 0) | (signs["step"] >= BEGINS_FROM)):
        if not times or frame * melody.hop_s - times[-1] > APART_S:
            times.append(frame * melody.hop_s)
    return np.array(times)


def _second_half(data: Path) -> tuple[Sound, Sequence[Times]]:
    sound = decode(data / AUDIO)
    sound = sound.cut(SECOND_HALF_S, sound.duration_s)
    starts = [np.loadtxt(data / NOTES.format(annotator), delimiter=",")[:, 0] - SECOND_HALF_S for annotator in (1, 2)]
    return sound, [times[times >= 0] for times in starts]


def _hum(seed: int) -> tuple[Sound, Sequence[Times]]:
    take = sing(made_tune(seed), seed=seed)
    return take.sound, [np.array([note.start_s for note in take.notes])]


def made_tune(seed: int) -> list[tuple[float, float, float]]:
    """A tune with repeated notes: start and end in seconds, MIDI semitones."""
    rng = np.random.default_rng([7, seed])
    start_s, pitch, notes = 0.0, 60.0, []
    beat_s = rng.uniform(0.35, 0.6)
    for _ in range(TUNE_NOTES):
        if rng.random() > REPEATS:
            pitch = float(np.clip(pitch + rng.choice([-5, -4, -3, -2, -1, 1, 2, 3, 4, 5]), 52, 70))
        length_s = beat_s * rng.choice([0.5, 1, 1, 1, 2])
        notes.append((start_s, start_s + length_s * rng.uniform(0.85, 1), pitch))
        start_s += length_s + (beat_s if rng.random() < 0.12 else 0)
    return notes
