"""Tunes of the starter catalogue as they are played, from their notes or from audio, with the truth about them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_worker.audio.chroma import Chroma, chroma_of_sound
from ml_worker.audio.melody import Melody
from ml_worker.audio.separation import separate
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import TimedNote, Tune, render_cover, render_original
from ml_worker.catalogue.covers import cover_performance, ornamented, plan_cover
from ml_worker.catalogue.performance import as_written, time_map
from ml_worker.mining.extract import Interval
from ml_worker.mining.gold import TimeMap

# The covers of each tune that are looked at.
COVERS = (1, 2)

# A singer from notes: hop of the curve (seconds), how far notes are off (semitones), vibrato.
HOP_S, DRIFT_ST, VIBRATO_ST, VIBRATO_HZ = 0.02, 0.15, 0.2, 5.5


@dataclass(frozen=True)
class Played:
    """A recording of a tune: what a tracker heard, and the truth; of audio its chroma, too."""

    melody: Melody
    notes: Sequence[TimedNote]
    phrases: Sequence[Interval]
    time_map: TimeMap
    chroma: Chroma | None = None


def from_notes(tune: Tune, number: int) -> Played:
    """The original (0) or a cover (1, 2, ...) of a tune, its curve drawn from its notes."""
    rng = np.random.default_rng(zlib.crc32(f"{tune.slug} {number}".encode()))
    original = as_written(tune)
    performance, notes = original, original.notes()
    if number:
        performance = cover_performance(tune, plan_cover(tune, number, rng), rng)
        notes = ornamented(performance.notes(), tune, performance.transposition, rng)
    return Played(_sung(notes, rng), notes, performance.phrases_s(), time_map(original, performance))


def from_audio(tune: Tune, number: int) -> Played:
    """The same rendered to audio, its voice separated and its melody tracked as the platform does."""
    rendering = render_cover(tune, number, seed=0) if number else render_original(tune)
    melody = track_melody(separate(rendering.mix).sound)
    return Played(melody, rendering.notes, rendering.phrases, rendering.time_map, chroma_of_sound(rendering.mix))


def _sung(notes: Sequence[TimedNote], rng: np.random.Generator) -> Melody:
    seconds = np.arange(0, notes[-1].end_s + 1, HOP_S)
    pitch = np.full(len(seconds), np.nan)
    for note in notes:
        pitch[(seconds >= note.start_s) & (seconds < note.end_s)] = note.pitch + rng.normal(0, DRIFT_ST)
    pitch += VIBRATO_ST * np.sin(2 * np.pi * VIBRATO_HZ * seconds)
    voiced = ~np.isnan(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch) - 69) / 12), 0).astype(np.float32)
    return Melody(HOP_S, f0_hz, voiced, voiced.astype(np.float32), "notes")
