"""Further pairs to train on from the sounds of hums: each changed by chance, and its melody tracked anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ml_worker.audio.trackers import RATE
from ml_worker.fingerprint.audio_pairs import SoundPair, augmented_pairs
from ml_worker.work.audio_files import sound_of
from recordings.models import Humming

if TYPE_CHECKING:
    from ml_worker.audio.sound import Sound
    from ml_worker.fingerprint.data import AlignedPair

# So many hums get one further version each where nothing else is asked for: a minute's work, and 300 MB of sound. With
# more hums, other singers teach what changed sounds would.
MOST_BY_ITSELF = 500
# What it takes to change and track a second of sound on one processor, seconds; only told.
COST = 0.012
# The same hums get the same changes, so that a run that was killed goes on where it was.
SEED = 5

Sounds = Callable[["AlignedPair"], "Sound | None"]
Report = Callable[[float, str], None]


def versions_of(asked: int | None, hums: int) -> int:
    """How many further versions each of so many hums gets."""
    return asked if asked is not None else int(hums <= MOST_BY_ITSELF)


def further_pairs(pairs: Sequence[AlignedPair], sounds: Sounds, times: int, report: Report) -> list[AlignedPair]:
    """Each hum of which there is sound so many times, changed; with the same originals.

    Args:
        sounds: gives the sound of a pair's version; None where there is none.
        report: is told how long it takes, and how far it is.
    """
    return list(_further(pairs, sounds, times, report)) if times else []


def _further(pairs: Sequence[AlignedPair], sounds: Sounds, times: int, report: Report) -> Iterator[AlignedPair]:
    found = [_with_sound(pair, sound) for pair in pairs if (sound := sounds(pair))]
    count = times * len(found)
    about_s = COST * times * sum(pair.version.duration_s for pair in found)
    for number, pair in enumerate(augmented_pairs(found, seed=SEED, times=times), start=1):
        report(0.0, f"Changing sounds of hums and listening anew: {number} of {count} (about {about_s:.0f} s in all)")
        yield pair


def _with_sound(pair: AlignedPair, sound: Sound) -> SoundPair:
    return SoundPair(
        original=pair.original,
        version=sound,
        offset_s=pair.offset_s,
        tempo_ratio=pair.tempo_ratio,
        song_id=pair.song_id,
        fragment_id=pair.fragment_id,
        version_id=pair.version_id,
    )


def stored_sound(pair: AlignedPair) -> Sound | None:
    """The sound of a hum of the database, at the trackers' rate; None where its audio is no longer kept."""
    audio = Humming.objects.get(pk=pair.version_id).audio
    return sound_of(audio, RATE) if audio else None
