"""Further aligned pairs from the sounds of versions: each changed as another recording would be, and tracked anew.

Training changes curves (`ml_worker.fingerprint.augmentation`); what a tracker makes of noise, of a room or of a second
voice is only heard in the sound. It takes the time of a tracking for each pair, so it is done once, before training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from ml_worker.audio.augmentation import SoundAugmentation, augmented
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.fingerprint.data import AlignedPair


@dataclass(frozen=True)
class SoundPair:
    """A fragment's original and the sound of a version, as `AlignedPair` has them.

    Second u of the original is heard in the version at offset_s + u * tempo_ratio.
    """

    original: Melody
    version: Sound
    offset_s: float
    tempo_ratio: float
    song_id: str
    fragment_id: str
    version_id: str = ""


def augmented_pairs(
    pairs: Sequence[SoundPair],
    settings: SoundAugmentation | None = None,
    *,
    seed: int,
    times: int = 1,
    track: Callable[[Sound], Melody] = track_melody,
) -> Iterator[AlignedPair]:
    """Each pair so many times, its version changed by chance and tracked; its alignment follows the change.

    SpliceOut is left out here whatever the settings say: after it no one offset and tempo ratio would hold. Training
    splices the curves (`Augmentation.splice`). A changed version bears the id of the one that it was made of, so that
    a record of training names it; what is mixed under it comes from the same pairs, of other songs.

    Args:
        settings: the usual ones where None.
        seed: the same seed and pairs give the same answer.
        track: makes the melody of a changed version.
    """
    straight = replace(settings or SoundAugmentation(), splice=0.0)
    for number, pair in enumerate(pairs):
        others = [other.version for other in pairs if other.song_id != pair.song_id]
        for turn in range(times):
            yield _augmented_pair(pair, others, straight, np.random.default_rng([seed, number, turn]), track)


def _augmented_pair(
    pair: SoundPair,
    others: Sequence[Sound],
    settings: SoundAugmentation,
    rng: Generator,
    track: Callable[[Sound], Melody],
) -> AlignedPair:
    sound, time_map = augmented(pair.version, others, settings, rng)
    (moved,) = time_map.stretches
    return AlignedPair(
        original=pair.original,
        version=track(sound),
        offset_s=moved.offset_s + moved.ratio * pair.offset_s,
        tempo_ratio=moved.ratio * pair.tempo_ratio,
        song_id=pair.song_id,
        fragment_id=pair.fragment_id,
        version_id=pair.version_id,
    )
