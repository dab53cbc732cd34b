"""What a published release consists of besides audio: kept as one archive in the storage, so that every later export
gives the same bytes, whatever became of the code, the libraries and the analyses that once wrote them."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import default_storage

from recordings.models import Release
from recordings.release.errors import ReleaseRefused
from recordings.release.files.folder import PART, file_sha256, files_of, is_plain, whole_file
from recordings.release.layout import AUDIO, SHARD, SUMS
from recordings.storage import sha256_of

FOLDER = "releases"
# The earliest that an archive can tell: no time of any clock is in a release.
NO_TIME = (1980, 1, 1, 0, 0, 0)


def in_bundle(path: str) -> bool:
    """Whether a file of a release is kept in the archive: all but audio, and the shards that hold it once more."""
    return not AUDIO.fullmatch(path) and not SHARD.fullmatch(path)


def keep_bundle(release: Release, out: Path) -> None:
    """Puts the archive of a finished folder into the storage, and notes its name and sum on the row, unsaved."""
    with tempfile.TemporaryFile() as archive:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as sink:
            for path in files_of(out):
                # The sums are still to get their name: with it the release is out.
                name = SUMS if path == SUMS + PART else path
                if in_bundle(name) and not name.endswith(PART):
                    entry = zipfile.ZipInfo(name, NO_TIME)
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    with (out / path).open("rb") as file, sink.open(entry, "w") as copy:
                        shutil.copyfileobj(file, copy)
        release.bundle_sha256 = sha256_of(archive)
        target = release.bundle.field.generate_filename(release, "bundle.zip")
        if default_storage.exists(target) and not is_whole(target, release.bundle_sha256):
            default_storage.delete(target)  # of a publication that was killed: no row has an archive that is not whole
        if not default_storage.exists(target):
            default_storage.save(target, File(archive))
        release.bundle.name = target


def is_whole(name: str, sha256: str) -> bool:
    with default_storage.open(name) as file:
        return sha256_of(file) == sha256


def throw_away(release: Release, but: str = "") -> None:
    """Removes the archive of a draft that was discarded or overtaken at the last moment, unless it is `but`."""
    if release.bundle and release.bundle.name != but:
        release.bundle.storage.delete(release.bundle.name)


def throw_away_all(snapshot: str) -> None:
    """Removes every archive of a draft: one that was killed between archive and publication left it behind."""
    if default_storage.exists(FOLDER):
        for name in default_storage.listdir(FOLDER)[1]:
            if name.startswith(f"{snapshot}-"):
                default_storage.delete(f"{FOLDER}/{name}")


@contextmanager
def opened(release: Release) -> Iterator[zipfile.ZipFile]:
    """The archive. Raises ReleaseRefused if it is gone."""
    try:
        with release.bundle.storage.open(release.bundle.name) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except (FileNotFoundError, zipfile.BadZipFile) as problem:
        raise ReleaseRefused(
            f"{release.bundle.name}, which holds the tables and texts of release {release.version}, is not in the "
            "storage any more, or damaged. Put it back from a backup, or keep a finished export: it never changes."
        ) from problem


def unpack(release: Release, out: Path, *, but: str) -> None:
    """Writes every file of the archive that is not there as it should be, but the one that has to come last."""
    must_be_whole(release)
    with opened(release) as archive:
        for one in archive.infolist():
            if one.filename != but and not is_same(archive, one, out / one.filename):
                with whole_file(out / one.filename) as part, archive.open(one) as file, part.open("wb") as copy:
                    shutil.copyfileobj(file, copy)


def must_be_whole(release: Release) -> None:
    with opened(release), release.bundle.storage.open(release.bundle.name) as file:
        if sha256_of(file) != release.bundle_sha256:
            raise ReleaseRefused(
                f"{release.bundle.name} in the storage is not what it was when release {release.version} was "
                "published. Put the file back from a backup."
            )


def is_same(archive: zipfile.ZipFile, one: zipfile.ZipInfo, path: Path) -> bool:
    if not is_plain(path) or path.stat().st_size != one.file_size:
        return False
    with archive.open(one) as file:
        return sha256_of(file) == file_sha256(path)


def read(release: Release, path: str) -> bytes:
    """One of its files. Raises KeyError if there is none of that name."""
    with opened(release) as archive:
        return archive.read(path)
