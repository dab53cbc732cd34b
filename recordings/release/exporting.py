"""Writing a release to a folder: the same bytes every time, resumable, with progress."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from recordings.models import Release, ReleasedVersion
from recordings.release.audio import Encoded
from recordings.release.errors import ReleaseRefused, SnapshotDiscarded, in_words
from recordings.release.folder import claim, clear, file_sha256, only_writer, text_file, write_whole
from recordings.release.progress import Progress, by_percent, quiet
from recordings.release.stored import StoredAudio
from recordings.release.tables import DATASET, VERSIONS
from recordings.release.texts import CARD, SUMS

DISCARDED = "Something of release {} was withdrawn or taken down while it was written. Export it again."

# The share of the work that is audio; tables and sums are the rest.
AUDIO_SHARE = 0.97
ROWS_AT_ONCE = 200


def export(release: Release, out: Path, progress: Progress = quiet) -> dict[str, Any]:
    """Writes a frozen release to the folder `out`, or finishes what an earlier export began there.

    Gives the release's counts with `version` and `folder`. Raises ReleaseRefused, with what to do, if the folder is
    taken or cannot be written, or if the storage has lost or changed what the release was frozen from; and
    SnapshotDiscarded, with the folder empty again, if something of it was withdrawn before it was written whole.
    """
    with in_words(out), only_writer(out):
        claim(out, release.settings["texts"][CARD])
        try:
            write(release, out, by_percent(progress))
        except (ReleaseRefused, OSError) as problem:
            # The audio may be gone with the snapshot, so that is asked of every failure.
            if Release.objects.filter(pk=release.pk).exists():
                raise
            clear(out)
            raise SnapshotDiscarded(DISCARDED.format(release.version)) from problem
    progress(1.0, "Done")
    return {"version": release.version, "folder": str(out), **release.settings["counts"]}


def write(release: Release, out: Path, progress: Progress) -> None:
    """Everything that is not there yet, in an order in which the sums are last."""
    write_audio(release, out, progress)
    progress(AUDIO_SHARE, "Writing the tables")
    write_tables(release, out)
    for path, text in release.settings["texts"].items():
        write_whole(out / path, text.encode())
    write_sums(release, out)


@transaction.atomic
def is_out(release: Release) -> None:
    """Notes when a release was first written whole; from then on it never changes, whatever is withdrawn."""
    row = Release.objects.select_for_update(of=("self",)).filter(pk=release.pk).first()
    if row is None:
        raise SnapshotDiscarded(DISCARDED.format(release.version))
    if row.exported_at is None:
        row.exported_at = timezone.now()
        row.save(update_fields=["exported_at"])
    release.exported_at = row.exported_at


def with_audio(release: Release) -> QuerySet[ReleasedVersion]:
    return release.versions.exclude(source={})


def in_order(release: Release) -> Iterator[ReleasedVersion]:
    """Rows as they were frozen: their keys rise with the order of the release."""
    return release.versions.order_by("pk").iterator(chunk_size=ROWS_AT_ONCE)


def write_audio(release: Release, out: Path, progress: Progress) -> None:
    """Writes what is not there yet, file by file of the storage. The first export notes each one's path and sum."""
    versions = with_audio(release).order_by("source__file", "pk")
    total, learned = versions.count(), []
    with StoredAudio() as stored:
        for done, version in enumerate(versions.iterator(chunk_size=ROWS_AT_ONCE)):
            progress(AUDIO_SHARE * done / total, f"Audio {done + 1} of {total}")
            if not is_there(version, out):
                encoded = stored.encode(version)
                learned += note(version, encoded, release)
                write_whole(out / version.audio, encoded.data)
            if len(learned) >= ROWS_AT_ONCE:
                keep(learned)
                learned = []
    keep(learned)


def is_there(version: ReleasedVersion, out: Path) -> bool:
    """Whether an earlier export wrote this very audio."""
    if not version.audio:
        return False
    path = out / version.audio
    return path.is_file() and file_sha256(path) == version.audio_sha256


def note(version: ReleasedVersion, encoded: Encoded, release: Release) -> list[ReleasedVersion]:
    """Path and sum of a version's audio: written down the first time, the same ever after."""
    digest = encoded.sha256
    if version.audio and digest != version.audio_sha256:
        raise ReleaseRefused(
            f"{version.audio} comes out otherwise than at the first export, by another FLAC encoder: the release was "
            f"frozen with {release.settings['encoder']}. Export it with that one."
        )
    if version.audio:
        return []
    place = version.row["dataset"]
    version.audio = f"{place['group_id']}/{place['fragment_id']}/{place['id']}.{encoded.extension}"
    version.audio_sha256 = digest
    return [version]


def keep(learned: list[ReleasedVersion]) -> None:
    ReleasedVersion.objects.bulk_update(learned, ["audio", "audio_sha256"])


def write_tables(release: Release, out: Path) -> None:
    """Both tables, row by row in the frozen order, with the columns that were frozen."""
    columns = release.settings["columns"]
    with ExitStack() as files:
        dataset, versions = (
            csv.DictWriter(files.enter_context(text_file(out / path)), columns[path], lineterminator="\n")
            for path in (DATASET, VERSIONS)
        )
        dataset.writeheader()
        versions.writeheader()
        for version in in_order(release):
            dataset.writerow(version.row["dataset"])
            versions.writerow(version.row["versions"] | {"audio": version.audio, "sha256": version.audio_sha256})


def write_sums(release: Release, out: Path) -> None:
    """SHA256SUMS, as `sha256sum -c` reads it. It comes last, so where it is, the rest is, and the release is out."""
    with text_file(out / SUMS) as file:
        for path in sorted([DATASET, VERSIONS, *release.settings["texts"]]):
            file.write(f"{file_sha256(out / path)}  {path}\n")
        for version in in_order(release):
            if version.audio:
                file.write(f"{version.audio_sha256}  {version.audio}\n")
        # Between the last word and the name of the file: a folder with sums is never one of a discarded snapshot.
        is_out(release)
