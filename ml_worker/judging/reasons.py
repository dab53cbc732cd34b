"""From what was measured in a take to what its singer is told."""

from __future__ import annotations

from ml_worker.judging import alignment as lines
from ml_worker.judging import sentences as say
from ml_worker.judging import thresholds as limit
from ml_worker.judging.alignment import Alignment
from ml_worker.judging.judgement import Reason
from ml_worker.judging.leak import Leak
from ml_worker.judging.quality import TakeMeasures
from ml_worker.judging.words import WordSigns

# --- the sound


def sound_reasons(take: TakeMeasures, leak: Leak | None, signs: WordSigns | None) -> list[Reason]:
    """What is wrong with a take as sound; one that has no voice gets only the reason for that."""
    if take.loud_db < limit.QUIET_SOUND_DB and take.voiced_s < limit.LEAST_VOICE_S:
        return [Reason("silent", say.SILENT)]
    if take.duration_s < limit.SHORTEST_TAKE_S:
        return [too_short(take.duration_s)]
    if take.voiced_s < limit.LEAST_VOICE_S:
        return [Reason("noise", say.NO_VOICE)]
    found = [
        level_reason(take),
        clipping_reason(take),
        noise_reason(take),
        dropout_reason(take),
        band_reason(take),
        leak_reason(leak) or words_reason(signs),
    ]
    return [reason for reason in found if reason]


def too_short(duration_s: float) -> Reason:
    return Reason("cut_off", say.TOO_SHORT, values={"duration_s": float(duration_s)})


def too_long(duration_s: float) -> Reason:
    return Reason("too_long", say.TOO_LONG, values={"minutes": round(duration_s / 60)})


def level_reason(take: TakeMeasures) -> Reason | None:
    return Reason("too_quiet", say.TOO_QUIET) if take.level_db < limit.TOO_QUIET_DB else None


def clipping_reason(take: TakeMeasures) -> Reason | None:
    if take.clipped_share > limit.CLIPPED_SHARE:
        return Reason("clipped", say.CLIPPED)
    return Reason("clipped", say.SOME_CLIPPED, fatal=False) if take.clipped_share > limit.SOME_CLIPPED_SHARE else None


def noise_reason(take: TakeMeasures) -> Reason | None:
    if take.snr_db is None or take.snr_db >= limit.SOME_NOISE_SNR_DB:
        return None
    if take.snr_db < limit.NOISY_SNR_DB:
        return Reason("noise", say.NOISY)
    return Reason("noise", say.SOME_NOISE, fatal=False)


def dropout_reason(take: TakeMeasures) -> Reason | None:
    if take.dropout_s >= limit.DROPPED_S:
        return Reason("dropouts", say.DROPOUTS)
    return Reason("dropouts", say.SOME_DROPOUTS, fatal=False) if take.dropouts else None


def band_reason(take: TakeMeasures) -> Reason | None:
    return Reason("narrow_band", say.NARROW, fatal=False) if take.bandwidth_hz < limit.NARROW_BAND_HZ else None


def leak_reason(leak: Leak | None) -> Reason | None:
    if leak is None or leak.level_db < limit.SOME_LEAK_DB:
        return None
    if leak.level_db >= limit.LEAK_DB:
        return Reason("leak", say.LEAK)
    return Reason("leak", say.SOME_LEAK, fatal=False)


def words_reason(signs: WordSigns | None) -> Reason | None:
    """Only told: people hear words better than these two figures do. A leak has its own words, so it comes before."""
    if signs is None or signs.vowel_change_db < limit.WORDS_VOWEL_CHANGE_DB:
        return None
    return Reason("words", say.WORDS, fatal=False) if signs.hiss_share >= limit.WORDS_HISS_SHARE else None


# --- the melody


def too_little(hummed_s: float, asked_s: float) -> Reason:
    return Reason("cut_off", say.TOO_LITTLE, values={"hummed_s": float(hummed_s), "asked_s": float(asked_s)})


def tune_reason(found: Alignment, moved: float) -> Reason | None:
    """What is wrong with the melody of a take, if anything; the first that explains it.

    Args:
        moved: the range of the take's pitch as a share of the reference's.
    """
    if moved < limit.FLAT_SHARE:
        return Reason("wrong_tune", say.ONE_NOTE)
    if found.distance <= limit.SIMILAR and found.coverage >= limit.COVERED:
        return None
    if moved <= limit.WIDE_SHARE and is_cut_off(found):
        return cut_off(found)
    if moved <= limit.WIDE_SHARE and is_out_of_time(found):
        return Reason("off_time", say.OFF_TIME)
    return Reason("wrong_tune", say.WRONG_TUNE)


def is_cut_off(found: Alignment) -> bool:
    """Whether what is there is right, and enough of it to say so."""
    part = found.distance - lines.MISSING_COST * (1 - found.reached)
    return part <= limit.PART_SIMILAR and limit.LEAST_PART <= found.coverage < limit.COMPLETE


def is_out_of_time(found: Alignment) -> bool:
    """Whether all notes are there and right, and only their timing is not."""
    right = found.pitch_cost <= limit.RIGHT_NOTES and found.coverage >= limit.COVERED
    return right and found.bend_s > limit.BENT_S


def cut_off(found: Alignment) -> Reason:
    """Which part of the fragment is missing, and what to do."""
    first_s, last_s = found.path[0, 0], found.path[-1, 0]
    message = say.NO_BEGINNING if first_s > found.reference_s - last_s else say.NO_END
    return Reason("cut_off", message, values={"share": round(found.coverage * 10) * 10})


def along_reason(found: Alignment, expected_s: float | None) -> Reason | None:
    """A note, not a refusal, to somebody who hums along before or behind: the take's own offset makes up for it."""
    if expected_s is None:
        return None
    late_s = float(found.offset_s - expected_s)
    if -limit.EARLY_S <= late_s <= limit.LATE_S:
        return None
    message = say.BEHIND if late_s > 0 else say.AHEAD
    return Reason("off_time", message, fatal=False, values={"seconds": abs(late_s)})
