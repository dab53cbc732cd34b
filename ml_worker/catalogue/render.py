"""Renders a tune: the original, a sung melody over an accompaniment, and covers that differ in all but the melody."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ml_worker.audio.sound import Sound
from ml_worker.catalogue.arrangement import PICKED_GUITAR, STRUMMED_GUITAR, Style, accompany
from ml_worker.catalogue.covers import cover_performance, ornamented, plan_cover
from ml_worker.catalogue.mixing import mix
from ml_worker.catalogue.performance import Performance, TimeMap, as_written, time_map
from ml_worker.catalogue.timbres import ALTO, Timbre
from ml_worker.catalogue.tune import Tune
from ml_worker.catalogue.voice import TimedNote, sing_line

SAMPLE_RATE = 44_100
# The last chord rings and the room dies away, s.
TAIL_S = 3.0
FADE_S = 1.2
# Slower than this, quarter notes a minute, the guitar is picked; faster, strummed.
PICKED_BELOW_BPM = 104


@dataclass(frozen=True)
class Rendering:
    """A tune as audio, with the truth about it.

    Attributes:
        mix: stereo, 44.1 kHz, about -13 LUFS, peaks under -1 dBFS.
        lead: mono, 44.1 kHz, the melody as it stands in the mix, dry.
        notes: the melody as it sounds: start and end in seconds, MIDI semitones.
        phrases: start and end in seconds of each phrase, as played.
        phrase_order: which phrase of the tune each of them is.
        time_map: original seconds against this rendering's seconds, a polyline for each passage that is played.
        transposition: semitones, this rendering minus the original, octave included.
        tempo_ratio: length of this rendering's beats against the original's; above 1 is slower.
        description: who sings or plays over what.
    """

    mix: Sound
    lead: Sound
    notes: list[TimedNote]
    phrases: list[tuple[float, float]]
    phrase_order: list[int]
    time_map: TimeMap
    transposition: int
    tempo_ratio: float
    description: str

    def phrase_notes(self, number: int) -> list[TimedNote]:
        """The notes of a phrase as played, in seconds from the phrase's start."""
        start_s, end_s = self.phrases[number]
        return [
            TimedNote(note.start_s - start_s, note.end_s - start_s, note.pitch)
            for note in self.notes
            if start_s <= note.start_s < end_s
        ]


def render_original(tune: Tune) -> Rendering:
    """The tune sung once through as written, after a short introduction. Equal tunes give equal samples."""
    performance = as_written(tune)
    style = PICKED_GUITAR if tune.tempo_bpm < PICKED_BELOW_BPM else STRUMMED_GUITAR
    rng = np.random.default_rng(_number(tune.slug, "original"))
    return _rendered(performance, performance, performance.notes(), ALTO, style, rng)


def render_cover(tune: Tune, number: int, seed: int) -> Rendering:
    """A cover of the tune: another key, tempo, voice or instrument, accompaniment and order of phrases.

    Equal arguments give equal samples; number 1 is sung, number 2 played, and so on in turn.
    """
    rng = np.random.default_rng(_number(tune.slug, f"cover {number} {seed}"))
    plan = plan_cover(tune, number, rng)
    performance = cover_performance(tune, plan, rng)
    notes = ornamented(performance.notes(), tune, performance.transposition, rng)
    return _rendered(as_written(tune), performance, notes, plan.timbre, plan.style, rng)


def _rendered(
    original: Performance,
    performance: Performance,
    notes: Sequence[TimedNote],
    timbre: Timbre,
    style: Style,
    rng: np.random.Generator,
) -> Rendering:
    seconds = performance.seconds(performance.beats) + TAIL_S
    frames = round(seconds * SAMPLE_RATE)
    lead = sing_line(notes, timbre, seconds=seconds, sample_rate=SAMPLE_RATE, rng=rng)
    stems = accompany(performance, style, frames=frames, sample_rate=SAMPLE_RATE, rng=rng)
    whole, lead = mix(lead, stems, SAMPLE_RATE)
    fade = round(FADE_S * SAMPLE_RATE)
    whole[:, -fade:] *= (0.5 + 0.5 * np.cos(np.linspace(0, np.pi, fade))).astype(np.float32)
    return Rendering(
        mix=Sound(whole, SAMPLE_RATE),
        lead=Sound.from_mono(lead, SAMPLE_RATE),
        notes=list(notes),
        phrases=performance.phrases_s(),
        phrase_order=[section.phrase for section in performance.sections if section.phrase is not None],
        time_map=time_map(original, performance),
        transposition=performance.transposition,
        tempo_ratio=_beat_s(performance) / _beat_s(original),
        description=f"{timbre.name} over {style.name}",
    )


def _beat_s(performance: Performance) -> float:
    return performance.seconds(performance.beats) / float(performance.beats)


def _number(*words: str) -> int:
    """A seed from words, the same in every process."""
    return zlib.crc32("/".join(words).encode())
