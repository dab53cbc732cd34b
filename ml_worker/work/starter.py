"""What comes with CHAD as rows: the starter catalogue, announced, so that the pending work renders it, and the starter
checkpoints."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.db.models import QuerySet

from ml_worker.catalogue import Tune, tunes
from ml_worker.fingerprint import shipped
from ml_worker.models import Checkpoint
from recordings.models import Recording, Song

# Ids follow from the tune's name, so that every instance has the same songs in the same splits.
STARTER = uuid.uuid5(uuid.NAMESPACE_URL, "chad:starter-catalogue")
COVERS_OF_A_TUNE = 2
LICENCE = "CC0-1.0"
PERFORMER = "CHAD"


def starter_id(*parts: str) -> uuid.UUID:
    return uuid.uuid5(STARTER, "/".join(parts))


def announce_starter_catalogue(songs: int | None = None) -> int:
    """Makes a song and its recordings of every tune (or the first so many) that has none. How many songs are new."""
    return sum(announce(tune) for tune in tunes()[:songs])


def starter_songs(songs: int | None = None) -> QuerySet[Song]:
    """The catalogue's songs, or those of its first so many tunes."""
    return Song.objects.filter(pk__in=[starter_id(tune.slug) for tune in tunes()[:songs]])


@transaction.atomic
def announce(tune: Tune) -> bool:
    song, is_new = Song.objects.get_or_create(
        id=starter_id(tune.slug),
        defaults={"title": tune.title, "artist": tune.composer, "origin": tune.origin, "year": str(tune.year)},
    )
    for number in (None, *range(1, COVERS_OF_A_TUNE + 1)):
        Recording.objects.get_or_create(
            id=starter_id(tune.slug, "original" if number is None else f"cover-{number}"),
            defaults={
                "song": song,
                "kind": Recording.Kind.ORIGINAL if number is None else Recording.Kind.COVER,
                "source": Recording.Source.GENERATED,
                "artist": PERFORMER,
                "tune": tune.slug,
                "tune_cover": number,
                "licence": LICENCE,
                "redistributable": True,
            },
        )
    return is_new


def install_starter_checkpoints() -> list[str]:
    """Makes a row of every starter checkpoint that has none. The names of those that are new.

    Raises:
        UnusableCheckpoint: one is damaged.
    """
    return [name for kind in shipped.shipped_kinds() if (name := install(kind))]


def install(kind: str) -> str:
    """The starter checkpoint of a kind as a row: its name, or "" where there is one already."""
    null = shipped.starter_null(kind)
    if null and Checkpoint.objects.filter(pk=null.checkpoint).exists():
        return ""
    # Only here is torch needed, which takes seconds to import.
    from ml_worker.work.train import store

    weights = shipped.starter_checkpoint(kind)
    is_new = not Checkpoint.objects.filter(pk=weights.name).exists()
    row = store(weights, job=None, null=null if null and null.checkpoint == weights.name else None)
    sureness = shipped.starter_sureness(kind)
    if sureness and not row.sureness:
        row.sureness = {"fitted": sureness.as_dict(), "moved": sureness.as_dict()}
        row.save(update_fields=["sureness"])
    return weights.name if is_new else ""
