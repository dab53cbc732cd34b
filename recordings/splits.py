"""Splits: of a song, by the same rule as `SplitOfId` states it for the database, and of a singer."""

from __future__ import annotations

import hashlib
import uuid

# Of 100 buckets, those below the first number are train, those below the second validation, the others test.
BUCKETS = 100
TRAIN_BELOW = 70
VALIDATION_BELOW = 85


def split_of(song_id: uuid.UUID | str) -> str:
    """`train`, `validation` or `test`: a hash of the song's id alone, so that nothing ever moves a song.

    Raises ValueError if `song_id` is no UUID.
    """
    return _split_of(str(uuid.UUID(str(song_id))))


def split_of_singer(person_id: int) -> str:
    """The second split: `train`, `validation` or `test` by a hash of the singer alone, so that no singer is in two."""
    return _split_of(f"singer {person_id}")


def _split_of(text: str) -> str:
    digest = hashlib.md5(text.encode("ascii"), usedforsecurity=False).hexdigest()
    bucket = int(digest[:8], 16) % BUCKETS
    if bucket < TRAIN_BELOW:
        return "train"
    return "validation" if bucket < VALIDATION_BELOW else "test"
