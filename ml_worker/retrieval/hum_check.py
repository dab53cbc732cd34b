"""Whether there is a melody in a hum that could be searched for: no search is sure of silence, of noise or of speech.

Everything is read off the tracked melody, so that every matcher can ask; the sound, where there is one, tells silence
from noise. The limits are set by the half called tuned of each group of `ml_worker.retrieval.measure_hum_check`, which
prints what they refuse of either half. A hum that is refused is worse than speech that is searched for, so each lies
beyond all hums that were looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.judging.quality import measure_take
from ml_worker.judging.sentences import NO_VOICE, SILENT
from ml_worker.judging.thresholds import QUIET_SOUND_DB
from ml_worker.retrieval.matcher import NothingHeard

# A recording shorter than this is a slip of the finger; seconds.
SHORTEST_S = 1.0
# With less voice than this there are two or three notes, which are in every tune; seconds.
LEAST_VOICE_S = 1.0
# With this much there is a voice, if little of it; with less it may be chance; seconds.
SOME_VOICE_S = 0.3

# A note is held where the pitch stays within this for this long: half a semitone either way; semitones, seconds.
HELD_WITHIN_ST, HELD_S = 1.0, 0.13
# A voice that holds less than this share of its time, and whose pitch runs faster than this for half of it, speaks.
# Speech holds up to 0.41 and runs at 20.5 and more (one piece of 34: 16.7); people who sing hold from 0.55 and run at
# up to 13 (two seconds of sung words: 0.32 and 14.4; a curve in steps of a semitone: 0.79 and 19); share, semitones a
# second.
LEAST_HELD, FASTEST = 0.45, 18.0

# What stays within this from its 5th to its 95th percentile is a machine's tone: mains hum moves over 0.05, the
# steadiest voice, on one note for four seconds, over more than 0.3; semitones.
TONE_WITHIN_ST = 0.12

# A tracker's own confidence under which half of what it took for a voice is drums; of those whose scale is known. Hums
# under noise as loud as they are have 0.73 and more, toms 0.61 in the middle; 0..1.
LEAST_CONFIDENCE = {"swift-f0": 0.68}
# But not where the notes are held as long as a voice, or a nearly pure tone, holds them: of such a tone a tracker is
# never sure; share of the voiced time.
SURELY_HELD = 0.9

# What is said to the person: what was heard, and what to do.
TOO_SHORT = "This recording is too short to search for. Hum a little longer: a few seconds are enough."
TOO_LITTLE = "There is too little melody in this hum to search for. Hum a little longer, and closer to the microphone."
SPEECH = "This sounds like speaking, and we need a melody. Hum or sing the tune, and hold its notes."
TONE = "We heard one steady tone and no tune. Turn off what may be humming nearby, and hum a few notes."


@dataclass(frozen=True)
class HumSigns:
    """What speaks for a melody.

    Attributes:
        voiced_s: seconds voiced.
        held_share: share of the voiced time in which a note is held.
        pace: how fast the pitch moves for half of the voiced time or more, semitones a second.
        range_st: from the 5th to the 95th percentile of the pitch, semitones.
        confidence: the tracker's own, the median over the voice, 0..1.
    """

    voiced_s: float
    held_share: float
    pace: float
    range_st: float
    confidence: float


def check_hum(melody: Melody, sound: Sound | None = None) -> None:
    """Lets a melody pass that can be searched for.

    Args:
        melody: of the whole recording.
        sound: the recording, where there is one.

    Raises:
        NothingHeard: it is too short, silent, noise, a machine's tone or speech; the text says which, and what to do.
    """
    if (melody if sound is None else sound).duration_s < SHORTEST_S:
        raise NothingHeard(TOO_SHORT)
    signs = hum_signs(melody)
    if signs.voiced_s < LEAST_VOICE_S:
        raise NothingHeard(_too_little(melody, sound, signs))
    if signs.range_st < TONE_WITHIN_ST:
        raise NothingHeard(TONE)
    if signs.confidence < least_confidence(melody.method) and signs.held_share < SURELY_HELD:
        raise NothingHeard(NO_VOICE)
    if signs.held_share < LEAST_HELD and signs.pace > FASTEST:
        raise NothingHeard(SPEECH)


def _too_little(melody: Melody, sound: Sound | None, signs: HumSigns) -> str:
    """What to say of a recording with hardly any voice: what its sound is like, where that is known."""
    if sound is None or signs.voiced_s >= SOME_VOICE_S:
        return TOO_LITTLE
    return SILENT if measure_take(sound, melody).loud_db < QUIET_SOUND_DB else NO_VOICE


def least_confidence(method: str) -> float:
    """The limit for a Melody's method; 0 of a tracker whose scale is not known."""
    return LEAST_CONFIDENCE.get(method.split(",")[0], 0.0)


def hum_signs(melody: Melody) -> HumSigns:
    """The signs of any melody; zeros without a voice."""
    pitch = melody.pitch()
    voiced = ~np.isnan(pitch)
    if not voiced.any():
        return HumSigns(0.0, 0.0, 0.0, 0.0, 0.0)
    steps = np.abs(np.diff(pitch))
    steps = steps[~np.isnan(steps)]
    return HumSigns(
        voiced_s=float(voiced.sum() * melody.hop_s),
        held_share=float(held(pitch, melody.hop_s).sum() / voiced.sum()),
        pace=float(np.median(steps) / melody.hop_s) if len(steps) else 0.0,
        range_st=float(np.subtract(*np.percentile(pitch[voiced], [95, 5]))),
        confidence=float(np.median(melody.confidence[voiced])),
    )


def held(pitch: NDArray[np.floating], hop_s: float) -> NDArray[np.bool_]:
    """Which frames of a pitch (T,) are of a note that is held: of HELD_S of voice within HELD_WITHIN_ST. (T,)

    The pitch is in semitones, NaN where unvoiced.
    """
    size = max(2, round(HELD_S / hop_s))
    if len(pitch) < size:
        return np.zeros(len(pitch), dtype=bool)
    steady = np.ptp(np.lib.stride_tricks.sliding_window_view(pitch, size), axis=1) <= HELD_WITHIN_ST
    return np.convolve(steady, np.ones(size)) > 0.5
