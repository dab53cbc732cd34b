"""Tunes as notes, and singers without a fault: their hums are the score, so what is known of them can be tested."""

from __future__ import annotations

import dataclasses

import numpy as np

from ml_worker.fingerprint.data import Tune
from ml_worker.fingerprint.settings import Recorded, Singing
from ml_worker.fingerprint.sung import Notes

# A singer who departs from the score in nothing, and is heard as he sings.
FLAWLESS = Singing(
    clumsiness=(0, 0), pace=0, detached=0, breath=0, run_together=0, glide_s=(0, 0), scoop=0, vibrato=0, jitter=0,
    octave_change=0, octave_slip=0, unheard=0, false_voice=0, attack_heard=(1, 1), false_attacks=0, no_attack=0,
)  # fmt: skip
# One who is true in pitch, apart from a voice that wanders, and free in time.
UNSTEADY = dataclasses.replace(
    FLAWLESS, clumsiness=(0.5, 1.4), pace=0.2, interval=0, mistuned=0, drift=0, new_key=0, wrong=0, dropped=0
)
# A recording of the flawless one alone, and the score itself.
SOLO = Recorded(score=0, no_attack=0, singing=FLAWLESS, filled_rests=0, taken_over=0, holes=0)
SCORE = Recorded(score=1, no_attack=0)


def made_notes(seed: int, count: int = 40) -> Notes:
    """Notes of a quarter to three quarters of a second, three semitones or more from one to the next; some rests."""
    rng = np.random.default_rng(seed)
    between = rng.choice([0.25, 0.375, 0.5, 0.75], count)
    starts_s = rng.uniform(0, 2) + np.concatenate([[0], np.cumsum(between)[:-1]])
    held = np.where(rng.random(count) < 0.15, 0.6, 1.0)
    steps = rng.choice([-5, -4, -3, 3, 4, 5], count)
    return Notes(starts_s, starts_s + between * held, 60.0 + np.cumsum(steps) % 15)


def made_singable(seeds: range) -> list[Tune]:
    """Tunes of 40 notes each."""
    return [Tune(f"tune {seed}", made_notes(seed)) for seed in seeds]
