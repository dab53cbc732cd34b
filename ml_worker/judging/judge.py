"""The automatic check of a hum: is it this melody, all of it, in time, and recorded well enough to keep?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.judging import alignment as lines
from ml_worker.judging import thresholds as limit
from ml_worker.judging.alignment import Alignment, align, check_reference, pitch_range
from ml_worker.judging.quality import TakeMeasures, measure_take

Measures = dict[str, float | int | None]


@dataclass(frozen=True)
class Reason:
    """One thing that the check found.

    Attributes:
        code: silent, too_quiet, clipped, noise, cut_off, too_long, wrong_tune, off_time, dropouts or narrow_band.
        sentence: for the singer: what is wrong and what to do.
        fatal: whether the take is refused for it; if not, it is only told.
    """

    code: str
    sentence: str
    fatal: bool = True


@dataclass(frozen=True)
class Judgement:
    """What the check found in a take.

    Attributes:
        ok: no reason is fatal.
        reasons: the fatal ones first.
        offset_s, tempo_ratio, transposition: as in alignment.Alignment; None where nothing could be aligned.
        similarity: 0..1 to the whole fragment, 0.5 at the limit; 0 where nothing could be aligned.
        coverage: share of the fragment that is hummed, 0..1.
        measures: all figures behind the reasons, ready for JSON.
        melody: the take's pitch curve.
    """

    ok: bool
    reasons: list[Reason]
    offset_s: float | None
    tempo_ratio: float | None
    transposition: float | None
    similarity: float
    coverage: float
    measures: Measures
    melody: Melody


def judge_hum(hum: Sound, reference: Melody, *, reference_start_s: float | None = None) -> Judgement:
    """Judges a recorded take against the melody of its fragment. Any sound is answered: silence, noise, an empty file.

    Args:
        reference: the fragment's melody; its time 0 is the fragment's start.
        reference_start_s: second of the take at which the fragment started to sound, when it was hummed along.

    Raises:
        ValueError: the reference is too short or too flat to judge a hum by; the text says so.
    """
    check_reference(reference)
    if hum.duration_s > limit.LONGEST_TAKE_S:
        return judgement(without_voice(), {"duration_s": hum.duration_s}, [too_long(hum.duration_s)], None)
    hum = finite(hum)
    melody = track_melody(hum) if hum.duration_s >= limit.SHORTEST_TAKE_S else without_voice()
    take = measure_take(hum, melody)
    reasons = sound_reasons(take)
    if take.voiced_s < limit.LEAST_VOICE_S:
        return judgement(melody, take.as_dict(), reasons, None)
    return with_melody(melody, reference, reference_start_s, take.as_dict(), reasons)


def judge_melody(hum: Melody, reference: Melody, *, reference_start_s: float | None = None) -> Judgement:
    """Judges a pitch curve alone, where there is no audio of the hum; otherwise as judge_hum.

    Raises:
        ValueError: the reference is too short or too flat to judge a hum by; the text says so.
    """
    check_reference(reference)
    voiced_s = float(hum.voiced.sum() * hum.hop_s)
    measures: Measures = {"duration_s": hum.duration_s, "voiced_s": voiced_s}
    if hum.duration_s > limit.LONGEST_TAKE_S:
        return judgement(hum, measures, [too_long(hum.duration_s)], None)
    if voiced_s < limit.LEAST_VOICE_S:
        return judgement(hum, measures, [Reason("silent", SILENT)], None)
    return with_melody(hum, reference, reference_start_s, measures, [])


# --- the sound


SILENT = "We could not hear you. Check the microphone and hum again."
NO_VOICE = "We heard sound but no humming. Find a quieter place, come closer to the microphone and hum again."
NOISY = "There is too much noise around you. Find a quieter place or come closer to the microphone, and hum again."
SOME_NOISE = "There is some noise around you. A quieter place would make your takes better."
TOO_QUIET = "You are very quiet. Come closer to the microphone and hum again."
CLIPPED = "You are too loud for the microphone, and the sound is distorted. Move back a little and hum again."
SOME_CLIPPED = "You are a little too loud for the microphone at times. Move back a little next time."
DROPOUTS = "Parts of the recording are missing. Close other apps and tabs, and hum again."
SOME_DROPOUTS = "The recording has small gaps. Closing other apps and tabs helps."
NARROW = "The recording sounds like a telephone call. Without a Bluetooth headset it would sound better."
WRONG_TUNE = "This does not sound like the phrase. Listen to it once more, then hum it again."
ONE_NOTE = "We heard one long note, not the phrase. Listen to it once more, then hum its melody."
OFF_TIME = "The notes are right, but the timing is off. Listen to the phrase once more and hum it at its own pace."


def too_short(duration_s: float) -> Reason:
    sentence = f"The recording is only {duration_s:.1f} seconds long. Hum the whole phrase before you stop."
    return Reason("cut_off", sentence)


def too_long(duration_s: float) -> Reason:
    sentence = f"The recording is {duration_s / 60:.0f} minutes long. Hum just this phrase, then stop."
    return Reason("too_long", sentence)


def too_little(hummed_s: float, asked_s: float) -> Reason:
    sentence = (
        f"We heard {hummed_s:.1f} seconds of humming; the phrase has {asked_s:.1f}. Hum all of it before you stop."
    )
    return Reason("cut_off", sentence)


def finite(hum: Sound) -> Sound:
    """The sound with 0 for samples that are no numbers, so that everything after can count on numbers."""
    if np.isfinite(hum.samples).all():
        return hum
    return Sound(np.nan_to_num(hum.samples, nan=0.0, posinf=1.0, neginf=-1.0), hum.sample_rate)


def without_voice() -> Melody:
    """The melody of a take that was not tracked: no frames."""
    nothing = np.zeros(0, dtype=np.float32)
    return Melody(lines.FINE_HOP_S, nothing, nothing.astype(bool), nothing, "none")


def sound_reasons(take: TakeMeasures) -> list[Reason]:
    """What is wrong with a take as sound; one that has no voice gets only the reason for that."""
    if take.loud_db < limit.QUIET_SOUND_DB and take.voiced_s < limit.LEAST_VOICE_S:
        return [Reason("silent", SILENT)]
    if take.duration_s < limit.SHORTEST_TAKE_S:
        return [too_short(take.duration_s)]
    if take.voiced_s < limit.LEAST_VOICE_S:
        return [Reason("noise", NO_VOICE)]
    found = [level_reason(take), clipping_reason(take), noise_reason(take), dropout_reason(take), band_reason(take)]
    return [reason for reason in found if reason]


def level_reason(take: TakeMeasures) -> Reason | None:
    return Reason("too_quiet", TOO_QUIET) if take.level_db < limit.TOO_QUIET_DB else None


def clipping_reason(take: TakeMeasures) -> Reason | None:
    if take.clipped_share > limit.CLIPPED_SHARE:
        return Reason("clipped", CLIPPED)
    return Reason("clipped", SOME_CLIPPED, fatal=False) if take.clipped_share > limit.SOME_CLIPPED_SHARE else None


def noise_reason(take: TakeMeasures) -> Reason | None:
    if take.snr_db is None or take.snr_db >= limit.SOME_NOISE_SNR_DB:
        return None
    if take.snr_db < limit.NOISY_SNR_DB:
        return Reason("noise", NOISY)
    return Reason("noise", SOME_NOISE, fatal=False)


def dropout_reason(take: TakeMeasures) -> Reason | None:
    if take.dropout_s >= limit.DROPPED_S:
        return Reason("dropouts", DROPOUTS)
    return Reason("dropouts", SOME_DROPOUTS, fatal=False) if take.dropouts else None


def band_reason(take: TakeMeasures) -> Reason | None:
    return Reason("narrow_band", NARROW, fatal=False) if take.bandwidth_hz < limit.NARROW_BAND_HZ else None


# --- the melody


def with_melody(
    melody: Melody, reference: Melody, reference_start_s: float | None, measures: Measures, reasons: list[Reason]
) -> Judgement:
    """The judgement of a take that has a voice: its sound's reasons and its melody's."""
    found = align(melody, reference, expected_offset_s=reference_start_s)
    if found is None:
        return judgement(melody, measures, [*reasons, Reason("wrong_tune", WRONG_TUNE)], None)
    hummed, asked = heard_pitch(melody), heard_pitch(reference)
    moved = pitch_range(hummed) / pitch_range(asked)
    hummed_s, asked_s = len(hummed) * melody.hop_s, len(asked) * reference.hop_s
    measures = measures | alignment_measures(found) | {"range_share": moved}
    short = too_little(hummed_s, asked_s) if hummed_s < limit.HALF_HUMMED * asked_s else None
    tune = short or tune_reason(found, moved)
    timing = None if tune else along_reason(found, reference_start_s)
    reasons = [*reasons, *(reason for reason in (tune, timing) if reason)]
    return judgement(melody, measures, reasons, found)


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


def tune_reason(found: Alignment, moved: float) -> Reason | None:
    """What is wrong with the melody of a take, if anything; the first that explains it."""
    if moved < limit.FLAT_SHARE:
        return Reason("wrong_tune", ONE_NOTE)
    if found.distance <= limit.SIMILAR and found.coverage >= limit.COVERED:
        return None
    if moved <= limit.WIDE_SHARE and is_cut_off(found):
        return Reason("cut_off", cut_off_sentence(found))
    if moved <= limit.WIDE_SHARE and is_out_of_time(found):
        return Reason("off_time", OFF_TIME)
    return Reason("wrong_tune", WRONG_TUNE)


def is_cut_off(found: Alignment) -> bool:
    """Whether what is there is right, and enough of it to say so."""
    part = found.distance - lines.MISSING_COST * (1 - found.reached)
    return part <= limit.PART_SIMILAR and limit.LEAST_PART <= found.coverage < limit.COMPLETE


def is_out_of_time(found: Alignment) -> bool:
    """Whether all notes are there and right, and only their timing is not."""
    right = found.pitch_cost <= limit.RIGHT_NOTES and found.coverage >= limit.COVERED
    return right and found.bend_s > limit.BENT_S


def cut_off_sentence(found: Alignment) -> str:
    """Which part of the fragment is missing, and what to do."""
    share = f"We heard about {round(found.coverage * 10) * 10} % of the phrase"
    first_s, last_s = found.path[0, 0], found.path[-1, 0]
    if first_s > found.reference_s - last_s:
        return f"{share}; its beginning is missing. Start the recording first, then hum all of it."
    return f"{share}; its end is missing. Hum all of it before you stop."


def along_reason(found: Alignment, reference_start_s: float | None) -> Reason | None:
    """A note, not a refusal, to somebody who hums along before or behind: the take's own offset makes up for it."""
    if reference_start_s is None:
        return None
    late_s = found.offset_s - reference_start_s
    if -limit.EARLY_S <= late_s <= limit.LATE_S:
        return None
    where = "behind" if late_s > 0 else "ahead of"
    sentence = f"You were {abs(late_s):.1f} seconds {where} the melody. Humming with it makes the take more useful."
    return Reason("off_time", sentence, fatal=False)


def judgement(melody: Melody, measures: Measures, reasons: list[Reason], found: Alignment | None) -> Judgement:
    """The judgement from its parts; refused where a reason is fatal."""
    ordered = sorted(reasons, key=lambda reason: not reason.fatal)
    return Judgement(
        ok=not any(reason.fatal for reason in reasons),
        reasons=ordered,
        offset_s=found.offset_s if found else None,
        tempo_ratio=found.tempo_ratio if found else None,
        transposition=found.transposition if found else None,
        similarity=found.similarity if found else 0.0,
        coverage=found.coverage if found else 0.0,
        measures=measures,
        melody=melody,
    )
