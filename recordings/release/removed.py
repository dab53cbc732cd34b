"""What may not be released any more: listed in the next release, and never in a snapshot that is not out yet."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from recordings.models import CoverFragment, Fragment, Humming, Release, ReleasedVersion, Song
from recordings.release.errors import ReleaseRefused
from recordings.release.files import bundle
from recordings.release.files.folder import clear, is_draft_of, only_writer, snapshot_in
from recordings.release.home import folder_of, home
from recordings.release.tables import COVER, HUMMING, ORIGINAL, REMOVED_COLUMNS, TAKEN_DOWN, WITHDRAWN

FOUND_WRONG = "found wrong"


@dataclass(frozen=True, order=True)
class Gone:
    """A version that an earlier release held, and that no release may hold any more: a row of REMOVED.tsv."""

    fragment_id: str
    version_id: str
    audio_type: str
    last_release: str
    why: str


def withdrawn() -> Q:
    """Released versions whose take was withdrawn, by its singer alone or with the whole account."""
    return Q(version_id__in=Humming.objects.filter(state=Humming.State.WITHDRAWN).values("pk"))


def taken_down() -> Q:
    """Released versions of songs that were taken down, by the song that stands in their row: what was mined anew since
    has no cover fragment any more that would lead to it."""
    songs = Song.objects.exclude(taken_down_at=None).order_by().values_list("pk", flat=True)
    return Q(row__versions__group_id__in=[str(song) for song in songs])


def taken_back() -> Q:
    """Released versions that are not given any more, whichever release they are in."""
    return withdrawn() | taken_down()


def vanished() -> Q:
    """Released versions that are in the collection no more, as a cover's are that was mined anew."""
    return (
        (Q(audio_type=HUMMING) & ~Q(version_id__in=Humming.objects.order_by().values("pk")))
        | (Q(audio_type=COVER) & ~Q(version_id__in=CoverFragment.objects.order_by().values("pk")))
        | (Q(audio_type=ORIGINAL) & ~Q(version_id__in=Fragment.objects.order_by().values("pk")))
    )


def unwilling() -> Q:
    """Released hums that say that models may be trained on them, although their singer says otherwise by now."""
    said_no = Humming.objects.filter(ai_training=False).values("pk")
    return Q(audio_type=HUMMING, row__versions__ai_training="True", version_id__in=said_no)


def not_accepted() -> Q:
    """Released hums and covers that are not accepted: withdrawn, found wrong by people since, or doubtful again."""
    good_covers = (CoverFragment.State.MATCHED, CoverFragment.State.ACCEPTED)
    return Q(version_id__in=Humming.objects.exclude(state=Humming.State.ACCEPTED).order_by().values("pk")) | Q(
        version_id__in=CoverFragment.objects.exclude(state__in=good_covers).order_by().values("pk")
    )


def why_left(versions: QuerySet[ReleasedVersion]) -> dict[UUID, str]:
    """Which of these released versions left the collection since, and why: the first reason that holds."""
    left: dict[UUID, str] = {}
    for why, which in ((TAKEN_DOWN, taken_down()), (WITHDRAWN, withdrawn()), (FOUND_WRONG, not_accepted())):
        for version in versions.filter(which).values_list("version_id", flat=True):
            left.setdefault(version, why)
    return left


def gone_since_release() -> list[Gone]:
    """Every version of a release that is out which was withdrawn or taken down, in the order of the table."""
    out = ReleasedVersion.objects.exclude(release__published_at=None)
    latest: dict[str, Gone] = {}
    # A withdrawn take of a song that was taken down comes with both words: the first one stays.
    for why, which in ((TAKEN_DOWN, taken_down()), (WITHDRAWN, withdrawn())):
        rows = out.filter(which).order_by("release__published_at", "release_id")
        for version, kind, row, release in rows.values_list(
            "version_id", "audio_type", "row__versions__fragment_id", "release__version"
        ):
            latest[str(version)] = Gone(row, str(version), kind, release, why)
    return sorted(latest.values())


def table_of(gone: list[Gone]) -> str:
    """REMOVED.tsv."""
    text = io.StringIO()
    sink = csv.DictWriter(text, list(REMOVED_COLUMNS), dialect=csv.excel_tab, lineterminator="\n")
    sink.writeheader()
    for one in gone:
        fragment, version, kind, release, why = astuple(one)
        sink.writerow(dict(zip(REMOVED_COLUMNS, (version, fragment, kind, release, why), strict=True)))
    return text.getvalue()


def may_not_go_out(release: Release) -> bool:
    """Whether a snapshot holds what was withdrawn, rejected, taken down or found no more since, or says of a hum what
    its singer took back."""
    return release.versions.filter(not_accepted() | taken_down() | unwilling() | vanished()).exists()


def snapshots_with(versions: Q) -> QuerySet[Release]:
    """Releases that are frozen and not out, and hold one of these versions."""
    held = ReleasedVersion.objects.filter(versions, release=OuterRef("pk"))
    return Release.objects.filter(Exists(held), published_at=None).order_by("pk")


def releases_with(versions: Q) -> QuerySet[Release]:
    """Releases that are out and hold one of these versions, the first one first. What they hold stays."""
    held = ReleasedVersion.objects.filter(versions, release=OuterRef("pk"))
    return Release.objects.filter(Exists(held)).exclude(published_at=None).order_by("created_at", "pk")


@transaction.atomic
def discard(snapshots: QuerySet[Release]) -> list[str]:
    """Throws snapshots away that are not out, so that their next export freezes anew; which versions they were.

    An export that is under way notices it at its end, at the latest: it goes on with a new snapshot. What was written
    of them in this instance's folder and storage goes, too.
    """
    going = list(snapshots.select_for_update(of=("self",)))
    Release.objects.filter(pk__in=[release.pk for release in going]).delete()
    for release in going:
        transaction.on_commit(partial(remove_what_was_written, release))
    return [release.version for release in going]


def remove_what_was_written(release: Release) -> None:
    """Of a draft that is no more: its archives, and its folder among those that the pages make."""
    if "snapshot" not in release.settings:
        return
    bundle.throw_away_all(release.settings["snapshot"])
    folder = folder_of(release.version)
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if is_empty or is_draft_of(folder, release.settings["snapshot"]):
        clear_away(folder)


def clear_away(folder: Path) -> None:
    """Empties a folder of ours, and removes it unless somebody else's files are in it."""
    with suppress(ReleaseRefused), only_writer(folder):  # who writes there now clears it
        clear(folder)
        if not any(folder.iterdir()):
            folder.rmdir()


def clear_abandoned(busy: Collection[str]) -> None:
    """Clears what was written of drafts that are no more, among the folders that the pages make: where work was killed,
    nobody else does. Versions of `busy` are at work, and clear their folders themselves."""
    if not home().is_dir():
        return
    for folder in home().iterdir():
        snapshot = snapshot_in(folder)
        if snapshot and folder.name not in busy and not Release.objects.filter(settings__snapshot=snapshot).exists():
            clear_away(folder)
