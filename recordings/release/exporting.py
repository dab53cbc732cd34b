"""Writing a release to a folder: the same bytes every time, resumable, with progress.

A draft is written, checked, and by that published; what is published is written again from what was kept of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from recordings.models import Release
from recordings.models.releases import STOPS
from recordings.release.checklist import Check, is_against_latest, look_through
from recordings.release.errors import ReleaseRefused, SnapshotDiscarded, in_words
from recordings.release.files import bundle
from recordings.release.files.audio_files import write_audio
from recordings.release.files.curve_files import write_curves
from recordings.release.files.folder import claim, clear, only_writer, remove_parts, whole_file, write_whole
from recordings.release.files.shards import is_as_noted, write_shards
from recordings.release.files.sums import facts_of_files, write_part_sums, write_sums
from recordings.release.files.table_files import write_parquet_tables, write_tables
from recordings.release.files.text_files import write_texts
from recordings.release.frozen.crowd import NOBODY, Crowd
from recordings.release.layout import CARD, SUMS
from recordings.release.progress import Progress, by_percent, quiet, share_of
from recordings.release.removed import discard, may_not_go_out

# The advisory lock under which one publication is decided at a time.
PUBLICATIONS = 20261127

# The share that is done when all is written, and nothing is out.
LAST_CALL = 0.99

DISCARDED = "Something of release {} was withdrawn or taken down while it was written. Export it again."


def export(
    release: Release,
    out: Path,
    progress: Progress = quiet,
    crowd: Crowd = NOBODY,
    ticked: Collection[str] | None = None,
) -> dict[str, Any]:
    """Writes a frozen release to the folder `out`, or finishes what an earlier export began there.

    A draft is checked when all is written, and published if nothing stops it. Where `ticked` is given, what a person
    has to mind stops it, too, unless it is among these names.

    Gives the release's counts with `version` and `folder`. Raises ReleaseRefused, with what to do, if the folder is
    taken or cannot be written, if the storage has lost or changed what the release was frozen from, or if a check
    stops the publication; and SnapshotDiscarded, with the folder empty again, if something of a draft was withdrawn
    before it was published.
    """
    with writing(release, out, progress) as told:
        if release.is_published:
            write_again(release, out, told)
        else:
            write_draft(release, out, share_of(told, 0.0, 0.7))
            checks = check_draft(release, out, share_of(told, 0.7, 0.98), crowd)
            refuse_if_stopped(release, checks, ticked)
            publish_folder(release, out, told)
    progress(1.0, "Done")
    return {"version": release.version, "folder": str(out), **release.settings["counts"]}


def prepare(release: Release, out: Path, progress: Progress = quiet, crowd: Crowd = NOBODY) -> list[Check]:
    """Writes a draft to the folder `out` and checks it, as `export` does, but does not publish it."""
    if release.is_published:
        raise ReleaseRefused(f"Release {release.version} is published; it is no draft any more.")
    with writing(release, out, progress) as told:
        write_draft(release, out, share_of(told, 0.0, 0.7))
        checks = check_draft(release, out, share_of(told, 0.7, 1.0), crowd)
    progress(1.0, "Done")
    return checks


@contextmanager
def writing(release: Release, out: Path, progress: Progress) -> Iterator[Progress]:
    """The folder is this release's and nobody else writes to it; what goes wrong is said in words.

    Whatever ends the writing, a failure or a person, the draft may have been thrown away meanwhile, or have to be: then
    the folder is emptied.
    """
    with in_words(out), only_writer(out):
        claim(out, release.settings["texts"][CARD])
        remove_parts(out)
        try:
            yield by_percent(progress)
        except BaseException as problem:
            # The audio may be gone with the snapshot, so that is asked of every failure.
            if not is_discarded(release):
                raise
            clear(out)
            if isinstance(problem, (ReleaseRefused, OSError)):
                raise SnapshotDiscarded(DISCARDED.format(release.version)) from problem
            raise


def is_discarded(release: Release) -> bool:
    """Whether a draft is no more. One that holds what was taken back since is discarded here."""
    row = Release.objects.filter(pk=release.pk).first()
    if row is None:
        return True
    if row.is_published or not may_not_go_out(row):
        return False
    discard(Release.objects.drafts().filter(pk=row.pk))
    return True


def write_draft(release: Release, out: Path, progress: Progress) -> None:
    """Everything that is not there yet but the last sums."""
    write_audio(release, out, share_of(progress, 0.0, 0.6))
    write_curves(release, out, share_of(progress, 0.6, 0.7))
    progress(0.7, "Writing the tables")
    write_tables(release, out)
    write_parquet_tables(release, out)
    write_shards(release, out, share_of(progress, 0.75, 0.95))
    progress(0.95, "Writing the texts")
    write_texts(release, out)
    write_part_sums(out)


def check_draft(release: Release, out: Path, progress: Progress, crowd: Crowd) -> list[Check]:
    """Looks through a written draft, and keeps what was found on its row."""
    checks = look_through(release, out, progress, crowd)
    release.checks, release.checked_at = [check.as_json() for check in checks], timezone.now()
    kept = Release.objects.drafts().filter(pk=release.pk)
    if not kept.update(checks=release.checks, checked_at=release.checked_at):
        raise SnapshotDiscarded(DISCARDED.format(release.version))
    return checks


def refuse_if_stopped(release: Release, checks: list[Check], ticked: Collection[str] | None) -> None:
    unminded = release.unticked(ticked) if ticked is not None else []
    reasons = [check.says for check in checks if check.state == STOPS or check.name in unminded]
    if reasons:
        raise ReleaseRefused(f"Release {release.version} is not published. " + " ".join(reasons))


def publish_folder(release: Release, out: Path, progress: Progress) -> None:
    """The last file, and with it the publication: a folder with sums is never one of a draft."""
    with whole_file(out / SUMS) as part:
        write_sums(release, out, part)
        release.files = facts_of_files(out, part)
        bundle.keep_bundle(release, out)
        last_call(release, progress)
        published_now = is_out(release)
        if not published_now:
            part.write_bytes(bundle.read(release, SUMS))
    if not published_now:
        # Another export published it meanwhile: what that one wrote is the release.
        write_again(release, out, progress)


def last_call(release: Release, progress: Progress) -> None:
    """Whoever is told of the progress may stop the publication: here for the last time."""
    try:
        progress(LAST_CALL, "Publishing")
    except BaseException:
        bundle.throw_away(release)
        raise


@transaction.atomic
def is_out(release: Release) -> bool:
    """Notes that a release is published: from then on it never changes, whatever is withdrawn.

    Gives False where another export published it meanwhile. One publication is decided at a time, and only of what
    may go out at this very moment.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PUBLICATIONS])
    row = Release.objects.select_for_update(of=("self",)).filter(pk=release.pk).first()
    if row is None or (not row.is_published and may_not_go_out(row)):
        bundle.throw_away(release)
        raise SnapshotDiscarded(DISCARDED.format(release.version))
    if row.is_published:
        bundle.throw_away(release, but=row.bundle.name)
        release.refresh_from_db()
        return False
    if row.notes != release.notes:
        raise ReleaseRefused(f"The words for the changelog of {row.version} were changed meanwhile. Export it again.")
    if not is_against_latest(row):
        raise ReleaseRefused(f"Another release was published while {release.version} was written. Freeze it anew.")
    row.published_at = timezone.now()
    row.files, row.bundle, row.bundle_sha256 = release.files, release.bundle.name, release.bundle_sha256
    row.save(update_fields=["published_at", "files", "bundle", "bundle_sha256"])
    release.refresh_from_db()
    return True


def write_again(release: Release, out: Path, progress: Progress) -> None:
    """A published release, the same bytes as before."""
    write_audio(release, out, share_of(progress, 0.0, 0.8))
    if release.bundle:
        progress(0.8, "Writing tables and texts")
        bundle.unpack(release, out, but=SUMS)
        write_shards(release, out, share_of(progress, 0.85, 1.0))
        shards_must_be_as_noted(release, out)
        write_whole(out / SUMS, bundle.read(release, SUMS))
    else:
        write_as_before_bundles(release, out)


def shards_must_be_as_noted(release: Release, out: Path) -> None:
    for path, facts in release.files.items():
        if path.endswith(".parquet") and not is_as_noted(out / path, facts):
            raise ReleaseRefused(
                f"{path} comes out otherwise than at publication, by another version of pyarrow: it was written with "
                f"{release.facts['tools']['pyarrow']}. Export it with that one."
            )


def write_as_before_bundles(release: Release, out: Path) -> None:
    """Releases from before 2026-11-27: two tables, and texts that the row itself keeps."""
    write_tables(release, out)
    for path, text in release.settings["texts"].items():
        write_whole(out / path, text.encode())
    with whole_file(out / SUMS) as part:
        write_sums(release, out, part)
