"""The automatic check of a hum: is it this melody, all of it, in time, and recorded well enough to keep?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.judging import alignment as lines
from ml_worker.judging import sentences as say
from ml_worker.judging import thresholds as limit
from ml_worker.judging.alignment import Alignment, align, check_reference, pitch_range
from ml_worker.judging.judgement import Estimate, Judgement, Measures, Reason
from ml_worker.judging.leak import Leak, find_leak
from ml_worker.judging.quality import measure_take
from ml_worker.judging.reasons import along_reason, sound_reasons, too_little, too_long, tune_reason
from ml_worker.judging.words import WordSigns, word_signs

__all__ = ["Estimate", "Judgement", "Reason", "judge_hum", "judge_melody", "without_voice"]

LATENCY_BY_CURVES = 0.3
"""Highest confidence of a latency that is only the offset of the hum: the singer's reaction is in it, which is as long
as the latency itself (-0.15 to 0.3 s, alignment.EXPECTED_REACTION_S)."""


@dataclass(frozen=True)
class Along:
    """How a take was hummed along with its fragment.

    Attributes:
        start_s: second of the take at which the fragment started to sound by the browser's word; None where it was
            not hummed along.
        latency_s: how much later than that it is heard in the take; None where nothing tells.
    """

    start_s: float | None = None
    latency_s: float | None = None

    @property
    def expected_s(self) -> float | None:
        """Where in the take a hum that keeps up with the fragment begins, as far as is known."""
        return None if self.start_s is None else self.start_s + (self.latency_s or 0.0)

    @property
    def late_s(self) -> lines.Window:
        """How much later than that people are."""
        return lines.EXPECTED_LATENCY_S if self.latency_s is None else lines.EXPECTED_REACTION_S


@dataclass(frozen=True)
class Findings:
    """What is found in a take before its melody is compared."""

    melody: Melody
    measures: Measures = field(default_factory=dict)
    reasons: list[Reason] = field(default_factory=list)
    estimates: list[Estimate] = field(default_factory=list)

    def plus(self, measures: Measures, *reasons: Reason | None) -> Findings:
        """These findings with more measures, and the reasons that there are."""
        given = [reason for reason in reasons if reason]
        return replace(self, measures=self.measures | measures, reasons=[*self.reasons, *given])


def judge_hum(
    hum: Sound,
    reference: Melody,
    *,
    reference_start_s: float | None = None,
    latency_s: float | None = None,
    reference_sound: Sound | None = None,
) -> Judgement:
    """Judges a recorded take against the melody of its fragment. Any sound is answered: silence, noise, an empty file.

    Args:
        reference: the fragment's melody; its time 0 is the fragment's start.
        reference_start_s: second of the take at which the fragment started to sound, when it was hummed along.
        latency_s: this stream's latency, seconds, where a loopback measurement knows it: how much later than
            reference_start_s the fragment's start would be heard in the take.
        reference_sound: the fragment's audio as it was played, to be looked for in the take.

    Raises:
        ValueError: the reference is too short or too flat to judge a hum by; the text says so.
    """
    check_reference(reference)
    if hum.duration_s > limit.LONGEST_TAKE_S:
        return judgement(Findings(without_voice(), {"duration_s": hum.duration_s}, [too_long(hum.duration_s)]))
    hum = finite(hum)
    melody = track_melody(hum) if hum.duration_s >= limit.SHORTEST_TAKE_S else without_voice()
    take = measure_take(hum, melody)
    leak = find_leak(hum, reference_sound, reference_start_s) if reference_sound is not None else None
    signs = word_signs(hum, melody)
    measures = take.as_dict() | leak_measures(leak) | word_measures(signs)
    found = Findings(melody, measures, sound_reasons(take, leak, signs), leak_estimates(leak))
    if take.voiced_s < limit.LEAST_VOICE_S:
        return judgement(found)
    known_s = leak.delay_s if latency_s is None and leak and tells_latency(leak) else latency_s
    return with_melody(found, reference, Along(reference_start_s, known_s))


def judge_melody(hum: Melody, reference: Melody, *, reference_start_s: float | None = None) -> Judgement:
    """Judges a pitch curve alone, where there is no audio of the hum; otherwise as judge_hum.

    Raises:
        ValueError: the reference is too short or too flat to judge a hum by; the text says so.
    """
    check_reference(reference)
    voiced_s = float(hum.voiced.sum() * hum.hop_s)
    found = Findings(hum, {"duration_s": hum.duration_s, "voiced_s": voiced_s})
    if hum.duration_s > limit.LONGEST_TAKE_S:
        return judgement(found.plus({}, too_long(hum.duration_s)))
    if voiced_s < limit.LEAST_VOICE_S:
        return judgement(found.plus({}, Reason("silent", say.SILENT)))
    return with_melody(found, reference, Along(reference_start_s))


# --- the sound


def finite(hum: Sound) -> Sound:
    """The sound with 0 for samples that are no numbers, so that everything after can count on numbers."""
    if np.isfinite(hum.samples).all():
        return hum
    return Sound(np.nan_to_num(hum.samples, nan=0.0, posinf=1.0, neginf=-1.0), hum.sample_rate)


def without_voice() -> Melody:
    """The melody of a take that was not tracked: no frames."""
    nothing = np.zeros(0, dtype=np.float32)
    return Melody(lines.FINE_HOP_S, nothing, nothing.astype(bool), nothing, "none")


def leak_measures(leak: Leak | None) -> Measures:
    """None for each where no leak was looked for or found."""
    return {
        "leak_db": leak and leak.level_db,
        "leak_delay_s": leak and leak.delay_s,
        "leak_confidence": leak and leak.confidence,
    }


def word_measures(signs: WordSigns | None) -> Measures:
    """None for each with too little voice to tell."""
    return {"vowel_change_db": signs and signs.vowel_change_db, "hiss_share": signs and signs.hiss_share}


def leak_estimates(leak: Leak | None) -> list[Estimate]:
    return [Estimate("latency_s", leak.delay_s, "leak", leak.confidence)] if tells_latency(leak) else []


def tells_latency(leak: Leak | None) -> bool:
    """Whether there is a leak that is loud enough to be believed on the time."""
    return leak is not None and leak.level_db >= limit.FAINT_LEAK_DB


# --- the melody


def with_melody(sound: Findings, reference: Melody, along: Along) -> Judgement:
    """The judgement of a take that has a voice: its sound's findings and its melody's."""
    melody = sound.melody
    found = align(melody, reference, expected_offset_s=along.expected_s, late_s=along.late_s)
    if found is None:
        return judgement(sound.plus({}, Reason("wrong_tune", say.WRONG_TUNE)))
    hummed, asked = heard_pitch(melody), heard_pitch(reference)
    moved = pitch_range(hummed) / pitch_range(asked)
    hummed_s, asked_s = len(hummed) * melody.hop_s, len(asked) * reference.hop_s
    short = too_little(hummed_s, asked_s) if hummed_s < limit.HALF_HUMMED * asked_s else None
    tune = short or tune_reason(found, moved)
    timing = None if tune else along_reason(found, along.expected_s)
    return judgement(sound.plus(alignment_measures(found) | {"range_share": moved}, tune, timing), found, along)


def heard_pitch(melody: Melody) -> lines.Curve:
    pitch = melody.pitch()
    return pitch[~np.isnan(pitch)]


def alignment_measures(found: Alignment) -> Measures:
    return {
        "distance": found.distance,
        "pitch_error_st": float(np.sqrt(found.pitch_cost)),
        "bend_s": found.bend_s,
        "coverage": found.coverage,
        "confidence": found.confidence,
    }


def curve_estimates(found: Alignment, along: Along) -> list[Estimate]:
    """What the curves say, with how far their best place stands out from others."""
    values = {"offset_s": found.offset_s, "tempo_ratio": found.tempo_ratio, "transposition": found.transposition}
    estimates = [Estimate(quantity, value, "curves", found.confidence) for quantity, value in values.items()]
    if along.start_s is not None:
        confidence = min(LATENCY_BY_CURVES, found.confidence)
        estimates.append(Estimate("latency_s", found.offset_s - along.start_s, "curves", confidence))
    return estimates


def judgement(found: Findings, aligned: Alignment | None = None, along: Along | None = None) -> Judgement:
    """The judgement from its parts; refused where a reason is fatal."""
    along = along or Along()
    return Judgement(
        ok=not any(reason.fatal for reason in found.reasons),
        reasons=sorted(found.reasons, key=lambda reason: not reason.fatal),
        offset_s=aligned.offset_s if aligned else None,
        tempo_ratio=aligned.tempo_ratio if aligned else None,
        transposition=aligned.transposition if aligned else None,
        similarity=aligned.similarity if aligned else 0.0,
        coverage=aligned.coverage if aligned else 0.0,
        measures=found.measures,
        melody=found.melody,
        estimates=[*found.estimates, *(curve_estimates(aligned, along) if aligned else [])],
    )
