"""Removals as the admin reads them: what one would touch, and what each has touched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet

from annotation.models import Removal
from annotation.removing import Touched
from ml_worker.chain import plural
from ml_worker.models import Checkpoint
from recordings.models import Humming, Release, Song
from recordings.release.removed import gone_since_release

# Names by their key in `Touched`, in the order of the page: one, many.
COUNTED = {
    "takes": ("hum", "hums"),
    "covers": ("cover fragment", "cover fragments"),
    "versions": ("pair that leaves future releases", "pairs that leave future releases"),
    "slots": ("slot", "slots"),
    "leases": ("lease ended", "leases ended"),
    "items": ("item of the double-check closed", "items of the double-check closed"),
    "verdicts": ("verdict on them", "verdicts on them"),
    "controls": ("control item retired", "control items retired"),
}


def counts_of(touched: dict[str, Any], *, all_of_them: bool = False) -> list[tuple[int, str]]:
    """(number, what it is a number of); of those that are none only where all are asked for."""
    counts = [(touched.get(key, 0), names) for key, names in COUNTED.items()]
    return [(number, plural(number, *names)) for number, names in counts if number or all_of_them]


@dataclass(frozen=True)
class Named:
    """The things that a removal touches, by name."""

    checkpoints: list[str]
    published: list[str]
    unreleased: list[str]

    @classmethod
    def of(cls, touched: dict[str, Any]) -> Named:
        return cls(*(touched.get(key, []) for key in ("checkpoints", "published", "unreleased")))


def preview(touched: Touched) -> dict[str, Any]:
    """What the page of a song that is to be taken down shows."""
    told = touched.as_dict()
    in_use = {Checkpoint.objects.latest(kind) for kind in ("short", "long")} - {None}
    return {
        "counts": counts_of(told, all_of_them=True),
        "named": Named.of(told),
        "in_use": [checkpoint.name for checkpoint in in_use if checkpoint.name in touched.checkpoints],
    }


@dataclass(frozen=True)
class ShownRemoval:
    """A row of the list.

    Attributes:
        subject: what it was called, as far as that may be kept.
        link: the page of the song, where it is one that is still there.
        who: who did it; of an account nobody is named.
    """

    row: Removal
    subject: str
    link: Song | None
    who: AbstractBaseUser | None

    @property
    def counts(self) -> list[tuple[int, str]]:
        return counts_of(self.row.touched)

    @property
    def named(self) -> Named:
        return Named.of(self.row.touched)


def removals(kind: str) -> QuerySet[Removal]:
    """The latest first; of one kind, where a kind is named."""
    rows = Removal.objects.select_related("person", "lifted_by")
    return rows.filter(kind=kind) if kind in Removal.Kind.values else rows


def shown(rows: list[Removal]) -> list[ShownRemoval]:
    songs = Song.objects.in_bulk([row.subject_id for row in rows if row.kind == Removal.Kind.SONG])
    takes = Humming.objects.select_related("fragment__recording__song").in_bulk(
        [row.subject_id for row in rows if row.kind == Removal.Kind.TAKE]
    )
    links = {str(pk): song for pk, song in songs.items()}
    links |= {str(pk): take.fragment.song for pk, take in takes.items()}
    with_songs = [(row, links.get(row.subject_id)) for row in rows]
    return [ShownRemoval(row, name_of(row, song), song, row.person) for row, song in with_songs]


def name_of(row: Removal, song: Song | None) -> str:
    """What was removed, by a name that may be kept: an account has none any more."""
    if row.kind == Removal.Kind.ACCOUNT:
        return "An account"
    if row.kind == Removal.Kind.TAKE and song:
        return f"A hum of {song.title}"
    return row.subject or row.subject_id


def standing_removal(song: Song) -> Removal | None:
    """Why a song that is down was taken down; None of one that was taken down before there were rows of it."""
    of_it = Removal.objects.filter(kind=Removal.Kind.SONG, subject_id=str(song.pk), lifted_at=None)
    return of_it.select_related("person").first()


def removed_in_next() -> int:
    """How many versions the next release will list as removed."""
    return len(gone_since_release()) if Release.objects.exclude(published_at=None).exists() else 0
