"""Whether there is a melody in a hum that could be searched for: no search is sure of silence, noise, speech or sirens.

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
from ml_worker.judging.sentences import NO_VOICE, SILENT, gettext_noop
from ml_worker.judging.thresholds import QUIET_SOUND_DB
from ml_worker.retrieval.matcher import NothingHeard

# A recording shorter than this is a slip of the finger; seconds.
SHORTEST_S = 1.0
# A voice in a recording shorter than this was cut off before it came to much, rather than soft or far away; seconds.
SHORT_S = 2.0
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
# What holds less than this holds no note at all, and is no tune at any pace: fast sweeps hold up to 0.06; share.
HARDLY_HELD = 0.1

# What stays within this from its 5th to its 95th percentile is a machine's tone: mains hum moves over 0.05, the
# steadiest voice, on one note for four seconds, over more than 0.3; semitones.
TONE_WITHIN_ST = 0.12

# A supply hums at multiples of these, and through whatever else is heard; up to the last one trackers take them for a
# voice; Hz.
MAINS_HZ, HIGHEST_MAINS_HZ = (50.0, 60.0), 300.0
# Within this of a multiple the pitch is the supply's; within the second it may still be, drawn aside by something else
# that is heard; semitones.
MAINS_WITHIN_ST, NEAR_MAINS_ST = 0.1, 0.3
# What is heard beside the supply is judged alone where the supply has this share of the voice; share.
SOME_MAINS = 0.15
# With this share there is nothing but the supply: it has 0.92 and more over speech that is 10 dB weaker, half of the
# time 0.79 and more over speech as loud; a simulated hum of two notes, one on it, has 0.53; share.
MAINS_ALONE = 0.7

# A siren, an engine and a sweep go on and on along smooth curves, and a tune stops at its notes: a stretch of voice
# this long, more than notes and what leads from one to the next take, glides where a parabola explains it; seconds.
GLIDE_S = 1.5
# The parabola's own deviation is at least this, that of a line over 1.5 semitones; semitones.
GLIDE_MOVES_ST = 0.43
# Beside it there is at most this much, and this share of it: an engine is not quite steady; semitones, share.
GLIDE_ROUGH_ST, GLIDE_ROUGH_SHARE = 0.05, 0.1
# What glides for this share of the voice is no tune: all people, instruments and simulated hums 0.00, made curves that
# glide for four fifths of each note, without vibrato, up to 0.39; sirens that wail from 0.83, half of the engines 0.54
# and more; share.
MOST_GLIDING = 0.5
# Speech runs at up to 40; twice as fast, it is a siren that yelps; semitones a second.
FASTEST_SPEECH = 60.0

# A tracker's own confidence under which half of what it took for a voice is drums; of those whose scale is known. Hums
# under noise as loud as they are have 0.73 and more, toms 0.61 in the middle; 0..1.
LEAST_CONFIDENCE = {"swift-f0": 0.68}
# But not where the notes are held as long as a voice, or a nearly pure tone, holds them: of such a tone a tracker is
# never sure; share of the voiced time.
SURELY_HELD = 0.9
# Nor where half of the time the pitch is above that of any drum: people whistle from about 500 Hz on, and a whistle is
# nearly a pure tone too; MIDI semitones (392 Hz).
ABOVE_DRUMS_ST = 67.0

# What is said to the person: what was heard, and what to do.
TOO_SHORT = gettext_noop("This recording is too short to search for. Hum a little longer: a few seconds are enough.")
TOO_LITTLE = gettext_noop(
    "There is too little melody in this hum to search for. Hum a little longer, and closer to the microphone."
)
SPEECH = gettext_noop("This sounds like speaking, and we need a melody. Hum or sing the tune, and hold its notes.")
TONE = gettext_noop("We heard one steady tone and no tune. Turn off what may be humming nearby, and hum a few notes.")
GLIDING = gettext_noop(
    "The pitch glides all the time, like a siren or an engine. Hum a tune, and stay on each of its notes."
)


@dataclass(frozen=True)
class HumSigns:
    """What speaks for a melody.

    Attributes:
        voiced_s: seconds voiced.
        held_share: share of the voiced time in which a note is held; where a supply hums, of the time beside it.
        pace: how fast the pitch moves for half of the voiced time or more, semitones a second; the same.
        height_st: the middle of the pitch, MIDI semitones.
        range_st: from the 5th to the 95th percentile of the pitch, semitones.
        confidence: the tracker's own, the median over the voice, 0..1.
        mains_share: share of the voiced time at one multiple of a supply's frequency.
        gliding_share: share of the voiced time in which the pitch goes along a smooth curve and holds no note.
    """

    voiced_s: float
    held_share: float
    pace: float
    height_st: float
    range_st: float
    confidence: float
    mains_share: float
    gliding_share: float


def check_hum(melody: Melody, sound: Sound | None = None) -> None:
    """Lets a melody pass that can be searched for.

    Args:
        melody: of the whole recording.
        sound: the recording, where there is one.

    Raises:
        NothingHeard: it is too short, silent, noise, a machine's tone, a siren or speech; the text says which, and what
            to do.
    """
    if (melody if sound is None else sound).duration_s < SHORTEST_S:
        raise NothingHeard(TOO_SHORT)
    signs = hum_signs(melody)
    if signs.voiced_s < LEAST_VOICE_S:
        raise NothingHeard(_too_little(melody, sound, signs))
    if signs.range_st < TONE_WITHIN_ST or signs.mains_share > MAINS_ALONE:
        raise NothingHeard(TONE)
    if signs.gliding_share > MOST_GLIDING:
        raise NothingHeard(GLIDING)
    like_drums = signs.held_share < SURELY_HELD and signs.height_st < ABOVE_DRUMS_ST
    if like_drums and signs.confidence < least_confidence(melody.method):
        raise NothingHeard(NO_VOICE)
    if is_spoken(signs):
        raise NothingHeard(SPEECH if signs.pace < FASTEST_SPEECH else GLIDING)
    if signs.held_share < HARDLY_HELD:
        raise NothingHeard(GLIDING)


def is_spoken(signs: HumSigns) -> bool:
    """Whether a voice speaks, or does what no voice does, rather than sings."""
    return signs.held_share < LEAST_HELD and signs.pace > FASTEST


def doubt_of(melody: Melody, sound: Sound | None = None) -> str:
    """What `check_hum` says against a melody, with the same arguments; "" where it lets it pass."""
    try:
        check_hum(melody, sound)
    except NothingHeard as problem:
        return str(problem)
    return ""


def _too_little(melody: Melody, sound: Sound | None, signs: HumSigns) -> str:
    """What to say of a recording with hardly any voice: that it is short, or what its sound is like, where known."""
    is_short = signs.voiced_s > 0 and (melody if sound is None else sound).duration_s < SHORT_S
    if sound is None or signs.voiced_s >= SOME_VOICE_S:
        return TOO_SHORT if is_short else TOO_LITTLE
    if measure_take(sound, melody).loud_db < QUIET_SOUND_DB:
        return SILENT
    return TOO_SHORT if is_short else NO_VOICE


def least_confidence(method: str) -> float:
    """The limit for a Melody's method; 0 of a tracker whose scale is not known."""
    return LEAST_CONFIDENCE.get(method.split(",")[0], 0.0)


def hum_signs(melody: Melody) -> HumSigns:
    """The signs of any melody; zeros without a voice."""
    pitch = melody.pitch()
    voiced = ~np.isnan(pitch)
    if not voiced.any():
        return HumSigns(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    mains_st, mains_share = _loudest_mains(pitch)
    beside = pitch
    if mains_share > SOME_MAINS:
        without = np.where(np.abs(pitch - mains_st) <= NEAR_MAINS_ST, np.nan, pitch)
        if (~np.isnan(without)).sum() * melody.hop_s >= LEAST_VOICE_S:
            beside = without
    steps = np.abs(np.diff(beside))
    steps = steps[~np.isnan(steps)]
    return HumSigns(
        voiced_s=float(voiced.sum() * melody.hop_s),
        held_share=float(held(beside, melody.hop_s).sum() / (~np.isnan(beside)).sum()),
        pace=float(np.median(steps) / melody.hop_s) if len(steps) else 0.0,
        height_st=float(np.median(pitch[voiced])),
        range_st=float(np.subtract(*np.percentile(pitch[voiced], [95, 5]))),
        confidence=float(np.median(melody.confidence[voiced])),
        mains_share=mains_share,
        gliding_share=float(gliding(pitch, melody.hop_s).sum() / voiced.sum()),
    )


def _loudest_mains(pitch: NDArray[np.floating]) -> tuple[float, float]:
    """Of the multiples of a supply's frequency the one that has most of the voice in a pitch (T,): semitones, share."""
    voice = pitch[~np.isnan(pitch)]
    multiples = {hz * order for hz in MAINS_HZ for order in range(1, int(HIGHEST_MAINS_HZ / hz) + 1)}
    tones = [69 + 12 * np.log2(hz / 440) for hz in sorted(multiples)]
    share, tone = max((float(np.mean(np.abs(voice - tone) <= MAINS_WITHIN_ST)), tone) for tone in tones)
    return tone, share


def held(pitch: NDArray[np.floating], hop_s: float) -> NDArray[np.bool_]:
    """Which frames of a pitch (T,) are of a note that is held: of HELD_S of voice within HELD_WITHIN_ST. (T,)

    The pitch is in semitones, NaN where unvoiced.
    """
    size = max(2, round(HELD_S / hop_s))
    if len(pitch) < size:
        return np.zeros(len(pitch), dtype=bool)
    steady = np.ptp(np.lib.stride_tricks.sliding_window_view(pitch, size), axis=1) <= HELD_WITHIN_ST
    return _covered(steady, size)


def gliding(pitch: NDArray[np.floating], hop_s: float) -> NDArray[np.bool_]:
    """Which frames of a pitch (T,) are of a smooth curve that moves: of GLIDE_S of voice near a parabola. (T,)

    The pitch is in semitones, NaN where unvoiced.
    """
    size = max(4, round(GLIDE_S / hop_s))
    if len(pitch) < size or np.isnan(pitch).all():
        return np.zeros(len(pitch), dtype=bool)
    # In an orthonormal basis of the parabolas a window's energy is that of its parts and of what is left of it.
    basis = np.linalg.qr(np.vander(np.linspace(-1, 1, size), 3, increasing=True)).Q
    centred = pitch.astype(np.float64) - np.nanmedian(pitch)
    level, slope, bend = (np.correlate(centred, column, "valid") ** 2 for column in basis.T)
    left = np.correlate(centred**2, np.ones(size), "valid") - level - slope - bend
    moves, rough = np.sqrt((slope + bend) / size), np.sqrt(np.maximum(left, 0) / size)
    return _covered((moves >= GLIDE_MOVES_ST) & (rough <= GLIDE_ROUGH_ST + GLIDE_ROUGH_SHARE * moves), size)


def _covered(windows: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Which frames (T,) lie in one of the chosen windows (T - size + 1,) of `size` frames."""
    return np.convolve(windows, np.ones(size)) > 0.5
