"""The split of a song, by the same rule as `SplitOfId` states it for the database."""

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
    text = str(uuid.UUID(str(song_id)))
    digest = hashlib.md5(text.encode("ascii"), usedforsecurity=False).hexdigest()
    bucket = int(digest[:8], 16) % BUCKETS
    if bucket < TRAIN_BELOW:
        return "train"
    return "validation" if bucket < VALIDATION_BELOW else "test"
