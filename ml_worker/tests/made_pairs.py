"""Made-up tunes with made-up hums of them, aligned by construction: enough to train and try a tiny network on."""

from __future__ import annotations

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.checkpoint import Checkpoint, state_of
from ml_worker.fingerprint.data import AlignedPair, DataRecord
from ml_worker.fingerprint.network import new_encoder
from ml_worker.fingerprint.settings import Settings
from ml_worker.tests.made_tunes import MadeNote, made_cover, made_tune, melody_of

FRAGMENT_S = 10.0
# A network that trains in seconds.
TINY = Settings(
    width=4, dimensions=32, batch=12, windows=2, steps=40, look_every=20, warmup_steps=5, precision="float32"
)


def untrained(settings: Settings) -> Checkpoint:
    """A checkpoint of a network that has learned nothing."""
    return Checkpoint(settings, state_of(new_encoder(seed=0, **settings.network)), DataRecord.of([]))


def made_pair(seed: int, take: int = 0) -> AlignedPair:
    """A fragment of 10 s and a hum of it in another key and tempo, starting late."""
    rng = np.random.default_rng([seed, take])
    notes = [note for note in made_tune(seed, FRAGMENT_S + 2) if note.end_s <= FRAGMENT_S]
    tempo_ratio, offset_s = float(rng.uniform(0.85, 1.15)), float(rng.uniform(0, 1))
    sung, _ = made_cover(
        notes, [(0.0, FRAGMENT_S)], tempo_ratio=tempo_ratio, transposition=float(rng.uniform(-7, 7)), rubato=0.05
    )
    late = [MadeNote(note.start_s + offset_s, note.end_s + offset_s, note.pitch) for note in sung]
    hum = melody_of(late, seed=take + 1, drift=0.3, octave_errors=0.05)
    original = melody_of(notes, seed=0, drift=0.05)
    return AlignedPair(original, hum, offset_s, tempo_ratio, f"song {seed}", f"fragment {seed}", f"hum {seed}/{take}")


def made_pairs(seeds: range, takes: int = 1) -> list[AlignedPair]:
    """Pairs of as many songs as there are seeds."""
    return [made_pair(seed, take) for seed in seeds for take in range(takes)]


def steady(pitches: list[float], note_s: float = 0.5, hop_s: float = 0.01) -> Melody:
    """Notes one after another, NaN for silence, without any human touch."""
    pitch = np.repeat(np.asarray(pitches, np.float64), round(note_s / hop_s))
    voiced = ~np.isnan(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch) - 69) / 12), 0)
    return Melody(hop_s, f0_hz.astype(np.float32), voiced, voiced.astype(np.float32), "steady")


def transposed(melody: Melody, semitones: float) -> Melody:
    """The melody in another key."""
    f0_hz = (melody.f0_hz * 2 ** (semitones / 12)).astype(np.float32)
    return Melody(melody.hop_s, f0_hz, melody.voiced, melody.confidence, melody.method, melody.attack)
