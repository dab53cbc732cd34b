"""Freezing a release: every row as it stands at one moment, copied, so that what happens later changes nothing."""

from __future__ import annotations

import secrets
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version as version_of
from itertools import islice

import soundfile
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, Max, Min, OuterRef, Prefetch, QuerySet
from django.utils import timezone

from recordings.models import CoverFragment, Fragment, Humming, Release, ReleasedVersion
from recordings.release.errors import ReleaseRefused
from recordings.release.frozen.changes import changes_since, history
from recordings.release.frozen.crowd import NOBODY, Crowd
from recordings.release.frozen.facts import Facts
from recordings.release.frozen.rows import cover_version, hum_version, original_version
from recordings.release.frozen.rule_of_five import suppress
from recordings.release.frozen.statistics import Statistics
from recordings.release.frozen.texts import card_of
from recordings.release.layout import CARD
from recordings.release.names import check_name
from recordings.release.removed import discard, gone_since_release, may_not_go_out, table_of
from recordings.release.tables import (
    ABOUT_SINGERS,
    COVER,
    DATASET,
    DATASET_COLUMNS,
    HUMMING,
    REMOVED,
    VERSIONS,
    VERSIONS_COLUMNS,
)

# How often a version is frozen when things are withdrawn at the same time.
ATTEMPTS = 5
FRAGMENTS_AT_ONCE = 100
ROWS_AT_ONCE = 500


def freeze(version: str, crowd: Crowd = NOBODY, notes: str = "") -> Release:
    """The release of this version: the one that exists, or a new draft of everything that may be published now.

    A draft that holds what was withdrawn, rejected or taken down since is thrown away and frozen anew. A new draft has
    the `notes` for its changelog.

    Raises ReleaseRefused for an impossible version, or when there is nothing to release.
    """
    check_name(version)
    for _ in range(ATTEMPTS):
        release = _frozen(version, crowd, notes)
        # What was withdrawn or rejected while the snapshot was taken is seen here, after it.
        if release.published_at or not may_not_go_out(release):
            return release
        discard(Release.objects.drafts().filter(pk=release.pk))
    raise ReleaseRefused(
        f"Versions are being withdrawn or rejected while release {version} is frozen. Freeze it again in a minute."
    )


def _frozen(version: str, crowd: Crowd, notes: str) -> Release:
    before = Release.objects.filter(version=version).first()
    if before:
        return before
    try:
        with one_moment():
            return _take_snapshot(version, crowd, notes)
    except IntegrityError as problem:
        made = Release.objects.filter(version=version).first()  # somebody else froze it at this moment
        if made is None:
            raise ReleaseRefused(_same_id(problem)) from problem
        return made


@contextmanager
def one_moment() -> Iterator[None]:
    """A transaction whose queries all see the database as it was at the first of them."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _same_id(problem: IntegrityError) -> str:
    detail = getattr(getattr(problem.__cause__, "diag", None), "message_detail", None) or str(problem)
    return f"Two versions have the same id, so there can be no release of both. Reject one of them. {detail}"


def _take_snapshot(version: str, crowd: Crowd, notes: str) -> Release:
    release = Release.objects.create(version=version, notes=notes)
    key = secrets.token_hex(32)
    tally = Tally()
    _store(tally.counting(_versions(release, key, crowd)))
    if not tally.counts["versions"]:
        raise ReleaseRefused(
            "There is nothing to release yet: no hum is double-checked and no cover fragment is accepted."
        )
    gone = gone_since_release()
    release.settings = {
        "snapshot": str(uuid.uuid4()),
        # Never published: with it the singers' pseudonyms of this release could be traced.
        "pseudonym_key": key,
        "columns": {DATASET: list(DATASET_COLUMNS), VERSIONS: list(VERSIONS_COLUMNS)},
        "counts": tally.as_dict(),
        "encoder": f"libsndfile {soundfile.__libsndfile_version__}",
        "shard_bytes": settings.RELEASE_SHARD_BYTES,
        "removed": len(gone),
    }
    release.facts = facts_of(release, tally, crowd).as_json()
    release.settings["texts"] = {CARD: card_of(release), REMOVED: table_of(gone)}
    release.save(update_fields=["settings", "facts"])
    return release


def released_fragments() -> QuerySet[Fragment]:
    """Fragments with an accepted hum or cover (`released_hums`, `released_covers`), of songs that may be used.

    In the order of a release: by song, then by fragment, each by id.
    """
    hums, covers = Humming.objects.accepted(), CoverFragment.objects.accepted()
    has_any = Exists(hums.filter(fragment=OuterRef("pk"))) | Exists(covers.filter(fragment=OuterRef("pk")))
    with_facts = hums.select_related("check_result").prefetch_related("estimates")
    analysed = covers.select_related("recording__song").prefetch_related("recording__analyses")
    return (
        Fragment.objects.filter(has_any, recording__song__taken_down_at=None)
        .select_related("recording__song")
        .prefetch_related(
            Prefetch("hummings", with_facts.order_by("pk"), "released_hums"),
            Prefetch("cover_fragments", analysed.order_by("pk"), "released_covers"),
            "recording__analyses",
        )
        .order_by("recording__song_id", "pk")
    )


def _versions(release: Release, pseudonym_key: str, crowd: Crowd) -> Iterator[ReleasedVersion]:
    """Every row, fragment by fragment, each batch of fragments with what the crowd knows of it in a few queries."""
    about = about_singers(crowd)
    fragments = released_fragments().iterator(chunk_size=FRAGMENTS_AT_ONCE)
    while batch := list(islice(fragments, FRAGMENTS_AT_ONCE)):
        judged_hums = crowd.of_hums([hum.pk for fragment in batch for hum in fragment.released_hums])
        judged_covers = crowd.of_covers([cover.pk for fragment in batch for cover in fragment.released_covers])
        for fragment in batch:
            versions = [original_version(fragment)]
            for cover in fragment.released_covers:
                versions.append(cover_version(cover, fragment, judged_covers.get(cover.pk, {})))
            for hum in fragment.released_hums:
                told = judged_hums.get(hum.pk, {}) | about.get(hum.pk, {})
                versions.append(hum_version(hum, fragment, pseudonym_key, told))
            for version in versions:
                version.release = release
                yield version


def about_singers(crowd: Crowd) -> dict[uuid.UUID, dict[str, str]]:
    """What may be told of the singer of each hum: only what five or more singers share. Hums of which nothing may be
    told are left out, and simulated ones: they would hide nobody."""
    people = Humming.objects.accepted().filter(simulated=False)
    hums = people.filter(fragment__in=released_fragments().order_by().values("pk")).order_by("pk")
    facts = list(hums.values_list("pk", "singer_id", "capture__device_class"))
    told = crowd.about_singers({singer for _, singer, _ in facts})
    rows = [{"device_class": device or "", **told.get(singer, {})} for _, singer, device in facts]
    shown = suppress(
        [{column: row.get(column, "") for column in ABOUT_SINGERS} for row in rows],
        [singer for _, singer, _ in facts],
        ABOUT_SINGERS,
    )
    return {hum: row for (hum, *_), row in zip(facts, shown, strict=True) if any(row.values())}


def _store(versions: Iterator[ReleasedVersion]) -> None:
    """Keeps the rows in their order: their keys rise with it."""
    while batch := list(islice(versions, ROWS_AT_ONCE)):
        ReleasedVersion.objects.bulk_create(batch)


class Tally:
    """Counts what goes into a release while it goes in."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.songs: dict[str, str] = {}
        self.fragments: set[str] = set()
        self.singers: set[str] = set()
        self.named: dict[str, Counter[str]] = {
            name: Counter() for name in ("checkpoint", "check_method", "consent_version")
        }
        self.statistics = Statistics()

    def counting(self, versions: Iterable[ReleasedVersion]) -> Iterator[ReleasedVersion]:
        for version in versions:
            self._count(version)
            yield version

    def _count(self, version: ReleasedVersion) -> None:
        row = version.row["versions"]
        self.counts["versions"] += 1
        self.counts[version.audio_type] += 1
        self.counts["with_audio"] += bool(version.source)
        self.counts["simulated"] += row["simulated"] == "True"
        self.seconds[version.audio_type] += float(version.row["dataset"]["duration"])
        self.songs[row["group_id"]] = row["split"]
        self.fragments.add(row["fragment_id"])
        if row["singer"]:
            self.singers.add(row["singer"])
        for name, counter in self.named.items():
            if row[name]:
                counter[row[name]] += 1
        self.statistics.add(version.row["dataset"], row)

    def as_dict(self) -> dict[str, object]:
        names = ("versions", "original", "cover", "humming", "with_audio", "simulated")
        return {
            "songs": len(self.songs),
            "fragments": len(self.fragments),
            **{name: self.counts[name] for name in names},
            "singers": len(self.singers),
            "songs_of_split": dict(sorted(Counter(self.songs.values()).items())),
            "hours": {name: round(seconds / 3600, 4) for name, seconds in sorted(self.seconds.items())},
        }


def facts_of(release: Release, tally: Tally, crowd: Crowd) -> Facts:
    """What the release says of itself. Its versions are stored."""
    before = Release.objects.latest_first().first()
    hums, covers = (
        list(release.versions.filter(audio_type=kind).values_list("version_id", flat=True)) for kind in (HUMMING, COVER)
    )
    days = Humming.objects.filter(pk__in=hums).aggregate(first=Min("created_at"), last=Max("created_at"))
    texts = crowd.consents()
    return Facts(
        version=release.version,
        frozen_on=release.created_at.date().isoformat(),
        counts=release.settings["counts"],
        statistics=tally.statistics.as_dict(),
        columns=release.settings["columns"],
        removed=release.settings["removed"],
        doi=f"{settings.RELEASE_DOI_PREFIX}/chad.{release.version}" if settings.RELEASE_DOI_PREFIX else "",
        address=f"{settings.SITE_ADDRESS}/releases/{release.version}/" if settings.SITE_ADDRESS else "",
        publisher=settings.PUBLISHER,
        contact=settings.CONTACT,
        hummed=[day.date().isoformat() for day in days.values() if day],
        consents={
            version: {"text": texts.get(version, ""), "hums": hums_under_it}
            for version, hums_under_it in sorted(tally.named["consent_version"].items())
        },
        crowd=crowd.summary(hums, covers),
        checkpoints=dict(sorted(tally.named["checkpoint"].items())),
        methods=dict(sorted(tally.named["check_method"].items())),
        changes=changes_since(
            release, before, crowd.reports_decided(before.created_at if before else None, timezone.now())
        ),
        history=history(),
        tools={"libsndfile": soundfile.__libsndfile_version__, "pyarrow": version_of("pyarrow")},
    )
