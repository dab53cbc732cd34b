"""Every file of a published release, one by one, for anyone.

Tables, texts and pitch curves come from the release's archive, audio is encoded from the storage and has to be as it
was noted, shards come from the folder that this instance wrote. No path opens anything by itself: it is looked up
first. What was withdrawn or taken down since is not given any more.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import soundfile
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from django.utils.http import parse_etags
from django.utils.translation import gettext_lazy as _

from recordings.models import Release, ReleasedVersion
from recordings.release.errors import ReleaseRefused
from recordings.release.files import bundle
from recordings.release.files.audio import Encoded, encode_interval, encode_take
from recordings.release.home import folder_of
from recordings.release.layout import AUDIO, CONFIGS, CROISSANT, CURVE, SHARD, SUMS
from recordings.release.removed import taken_back
from recordings.release.tables import DATASET, VERSIONS
from recordings.storage import sha256_of

NO_SUCH_FILE = _("This release has no such file. SHA256SUMS lists every one that it has.")
NOT_KEPT_HERE = _(
    "This shard is not kept here at present. Everything in it is in the release's other files; load it from those, or "
    "ask who runs this place to export the release again."
)
VERSION_LEFT = _("It was withdrawn or taken down since the release was published, and is not given away any more.")
SHARD_LEFT = _(
    "Something in this shard was withdrawn or taken down since the release was published, so it is not given away any "
    "more. The other files of the release hold all the rest, and its loader, chad.py, reads it from those."
)

# Of each config of the shards, what its rows are.
KIND_OF_CONFIG = {config: kind for kind, config in CONFIGS.items()}

CONTENT_TYPES = {
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".csv": "text/csv; charset=utf-8",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
}
PLAIN = "text/plain; charset=utf-8"

BLOCK = 1 << 18
A_DAY_S = 86_400
# Of a table that is written to be given: so much is held in memory, the rest on disk.
IN_MEMORY = 1 << 20
ROWS_AT_ONCE = 200
# Archives that stay open in a process, so that not every curve reads the list of all curves.
OPEN_ARCHIVES = 2

# The bytes of a release never change. But what holds a voice or a recording may have to leave, so no copy on the way is
# given without asking whether it may.
FOR_EVER = "public, max-age=31536000, immutable"
ASKED_ANEW = "public, no-cache"


class NotThere(Exception):
    """There is no such file; says why."""

    def __init__(self, sentence: str | Promise) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class HasLeft(NotThere):
    """There was one, and it may not be given any more."""


@dataclass(frozen=True)
class Opened:
    """A file from its first byte, with its size in bytes. It may be read and sought."""

    file: BinaryIO
    size: int


@dataclass(frozen=True)
class Found:
    """A file of a release: its SHA-256, how long whoever has it may keep it unasked, and how it is opened."""

    sha256: str
    cache: str
    open: Callable[[], Opened]


# ---------------------------------------------------------------- finding


def find(release: Release, path: str) -> Found:
    """The file of a published release at this path in it.

    Raises:
        NotThere: it has no such file, or the file is not kept here.
        HasLeft: it had, and what is in it was withdrawn or taken down.
        ReleaseRefused: the storage has lost or changed what the file is made of.
    """
    if AUDIO.fullmatch(path):
        return audio_at(release, path)
    if CURVE.fullmatch(path):
        return curve_at(release, path)
    if not release.bundle:
        return as_before_bundles(release, path)
    noted = release.files.get(path)
    if noted is None:
        raise NotThere(NO_SUCH_FILE)
    if SHARD.fullmatch(path):
        return shard_at(release, path, noted["sha256"], noted["bytes"])
    return Found(noted["sha256"], FOR_EVER, lambda: from_bundle(release, path))


def audio_at(release: Release, path: str) -> Found:
    version = version_at(release, path)
    if version.audio != path:
        raise NotThere(NO_SUCH_FILE)
    return Found(version.audio_sha256, ASKED_ANEW, lambda: opened(encoded(version).data))


def curve_at(release: Release, path: str) -> Found:
    version = version_at(release, path)
    if version.row["versions"].get("f0") != path or not release.bundle:
        raise NotThere(NO_SUCH_FILE)
    data = read(release, path)
    return Found(hashlib.sha256(data).hexdigest(), ASKED_ANEW, lambda: opened(data))


def version_at(release: Release, path: str) -> ReleasedVersion:
    """The version whose audio or curve a path names, if it may still be given."""
    try:
        version_id = UUID(Path(path).stem)
    except ValueError as problem:
        raise NotThere(NO_SUCH_FILE) from problem
    version = release.versions.filter(version_id=version_id).first()
    if version is None:
        raise NotThere(NO_SUCH_FILE)
    if release.versions.filter(taken_back(), version_id=version_id).exists():
        raise HasLeft(VERSION_LEFT)
    return version


def shard_at(release: Release, path: str, sha256: str, size: int) -> Found:
    if in_shard(release, path).filter(taken_back()).exists():
        raise HasLeft(SHARD_LEFT)
    with from_folder(release, path) as file:
        if not is_as_published(file, f"{release.pk}:{path}", sha256, size):
            raise NotThere(NOT_KEPT_HERE)
    return Found(sha256, ASKED_ANEW, lambda: Opened(from_folder(release, path), size))


def in_shard(release: Release, path: str) -> QuerySet[ReleasedVersion]:
    """The versions in a shard; those in all shards of its config and split where it was not noted how many are in each,
    as before 2026-11-28."""
    _data, config, name = path.split("/")
    split = name.partition("-")[0]
    of_side = release.versions.filter(audio_type=KIND_OF_CONFIG[config], row__versions__split=split).exclude(audio="")
    # Their numbers have all five digits, so that paths sort as shards follow each other.
    shards = [other for other in sorted(release.files) if other.startswith(f"data/{config}/{split}-")]
    rows = [release.files[other].get("rows") for other in shards]
    if None in rows:
        return of_side
    place = shards.index(path)
    first = sum(rows[:place])
    # Rows are in shards in the order of the release, which is that of their keys.
    within = of_side.order_by("pk").values("pk")[first : first + rows[place]]
    return release.versions.filter(pk__in=within)


def shards_that_left(release: Release) -> set[str]:
    """The shards that are not given any more, as something in them was withdrawn or taken down."""
    shards = [path for path in release.files if SHARD.fullmatch(path)]
    return {path for path in shards if in_shard(release, path).filter(taken_back()).exists()}


def is_as_published(file: BinaryIO, name: str, sha256: str, size: int) -> bool:
    """Whether a file in the folder has its published sum: looked at once, until the file is another one."""
    facts = os.fstat(file.fileno())
    if facts.st_size != size:
        return False
    key = f"shard:{name}:{facts.st_ino}:{facts.st_mtime_ns}"
    same = cache.get(key)
    if same is None:
        same = sha256_of(file) == sha256
        cache.set(key, same, timeout=A_DAY_S)
    return same


def from_folder(release: Release, path: str) -> BinaryIO:
    file = plain_file(folder_of(release.version), path)
    if file is None:
        raise NotThere(NOT_KEPT_HERE)
    return file


def plain_file(folder: Path, path: str) -> BinaryIO | None:
    """A file below the folder, opened step by step so that no link is followed; None if there is no such plain file."""
    *parents, name = path.split("/")
    step = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    handles: list[int] = []
    try:
        handles.append(os.open(folder, step))
        for parent in parents:
            handles.append(os.open(parent, step, dir_fd=handles[-1]))
        # A pipe would wait for its other end for ever.
        file = os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handles[-1]), "rb")
    except OSError:
        return None
    finally:
        for handle in handles:
            os.close(handle)
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    return None


# ---------------------------------------------------------------- audio


def encoded(version: ReleasedVersion) -> Encoded:
    """A version's audio, the very bytes that were published. Raises ReleaseRefused if they do not come out any more."""
    source = version.source
    try:
        with default_storage.open(source["file"]) as file:
            if "start_s" not in source:
                audio = encode_take(file)
            else:
                with soundfile.SoundFile(file) as sound:
                    audio = encode_interval(sound, source["start_s"], source["end_s"])
    except (OSError, soundfile.LibsndfileError) as problem:
        raise ReleaseRefused(
            f"{version.audio} cannot be made: {source['file']} in the storage cannot be read ({problem}). Put the file "
            "back from a backup."
        ) from problem
    if audio.sha256 != version.audio_sha256:
        raise ReleaseRefused(
            f"{version.audio} comes out otherwise than it was published: {source['file']} in the storage was changed, "
            "or the FLAC encoder is another one than that of the release."
        )
    return audio


# ---------------------------------------------------------------- the archive


@lru_cache(maxsize=OPEN_ARCHIVES)
def archive_of(release_id: int, bundle_name: str) -> zipfile.ZipFile:
    """The archive, found whole, and open for as long as the process wants. Several threads may read from it."""
    release = Release.objects.get(pk=release_id)
    bundle.must_be_whole(release)
    return zipfile.ZipFile(release.bundle.storage.open(release.bundle.name))


def from_bundle(release: Release, path: str) -> Opened:
    archive = archive_of(release.pk, release.bundle.name)
    try:
        return Opened(archive.open(path), archive.getinfo(path).file_size)
    except KeyError as problem:
        raise NotThere(NO_SUCH_FILE) from problem


def read(release: Release, path: str) -> bytes:
    """One of the archive's files that is small. Raises NotThere and ReleaseRefused as `find`."""
    with from_bundle(release, path).file as file:
        return file.read()


# ---------------------------------------------------------------- releases without an archive


def as_before_bundles(release: Release, path: str) -> Found:
    """Releases from before 2026-11-27: two tables, and texts that the row itself keeps."""
    file = written(release, path)
    size = file.seek(0, os.SEEK_END)
    sha256 = sha256_of(file)
    return Found(sha256, FOR_EVER, lambda: Opened(file, size))


def written(release: Release, path: str) -> BinaryIO:
    texts, columns = release.settings.get("texts", {}), release.settings.get("columns", {})
    if path in texts:
        return io.BytesIO(texts[path].encode())
    if path in columns:
        return spooled(table_lines(release, path))
    if path == SUMS and texts:
        return spooled(sums_lines(release))
    raise NotThere(NO_SUCH_FILE)


def spooled(lines: Iterator[str]) -> BinaryIO:
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115, closed with the answer
    for line in lines:
        file.write(line.encode())
    return file


def table_lines(release: Release, path: str) -> Iterator[str]:
    """A table as CSV, row by row in the frozen order."""
    line = io.StringIO()
    sink = csv.DictWriter(line, release.settings["columns"][path], lineterminator="\n")
    sink.writeheader()
    table = {DATASET: "dataset", VERSIONS: "versions"}[path]
    for version in release.versions.order_by("pk").iterator(chunk_size=ROWS_AT_ONCE):
        sink.writerow(version.written[table])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def sums_lines(release: Release) -> Iterator[str]:
    for path in sorted([*release.settings["texts"], *release.settings["columns"]]):
        with written(release, path) as file:
            yield f"{sha256_of(file)}  {path}\n"
    audio = release.versions.exclude(audio="").order_by("pk").values_list("audio_sha256", "audio")
    for sha256, path in audio.iterator(chunk_size=ROWS_AT_ONCE):
        yield f"{sha256}  {path}\n"


# ---------------------------------------------------------------- answering

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def answer(request: HttpRequest, path: str, found: Found) -> HttpResponseBase:
    """The file, or the part of it that is asked for (RFC 9110: one range, If-Range, If-None-Match), in blocks."""
    etag = f'"{found.sha256}"'
    asked = [tag.removeprefix("W/") for tag in parse_etags(request.headers.get("If-None-Match", ""))]
    if etag in asked or "*" in asked:
        return told(HttpResponse(status=304), path, found)
    source = found.open()
    stretch = stretch_of(request, source.size, etag)
    if stretch is None:
        source.file.close()
        response = HttpResponse(status=416, content_type=PLAIN)
        response["Content-Range"] = f"bytes */{source.size}"
        return told(response, path, found)
    first, end = stretch
    if request.method == "HEAD":
        source.file.close()
        response: HttpResponseBase = HttpResponse()
    else:
        source.file.seek(first)
        response = StreamingHttpResponse(Stretch(source.file, end - first))
    if end - first < source.size:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{end - 1}/{source.size}"
    response["Content-Length"] = str(end - first)
    response["Content-Type"] = type_of(path)
    return told(response, path, found)


def told(response: HttpResponseBase, path: str, found: Found) -> HttpResponseBase:
    """With what holds of the file however much of it is given."""
    response["ETag"] = f'"{found.sha256}"'
    response["Cache-Control"] = found.cache
    response["Accept-Ranges"] = "bytes"
    response["X-Content-Type-Options"] = "nosniff"
    # Researchers' pages and notebooks in browsers may read what anyone may have.
    response["Access-Control-Allow-Origin"] = "*"
    return response


def stretch_of(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """First byte and end of what is asked for; None where the file has nothing of it."""
    asked = RANGE.fullmatch(request.headers.get("Range", "").strip())
    # What we cannot read, and several ranges at once, may be answered with the whole.
    if asked is None or not (asked[1] or asked[2]) or request.headers.get("If-Range", etag) != etag:
        return 0, size
    if not asked[1]:
        return (max(0, size - int(asked[2])), size) if int(asked[2]) and size else None
    first, end = int(asked[1]), min(size, int(asked[2]) + 1) if asked[2] else size
    if asked[2] and int(asked[2]) < first:
        return 0, size
    return (first, end) if first < size else None


class Stretch:
    """So many bytes of an open file from where it stands, in blocks. The file is closed with the answer."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self.file, self.left = file, length

    def __iter__(self) -> Iterator[bytes]:
        while self.left > 0 and (block := self.file.read(min(BLOCK, self.left))):
            self.left -= len(block)
            yield block

    def close(self) -> None:
        self.file.close()


def type_of(path: str) -> str:
    if path == CROISSANT:
        return "application/ld+json"
    return CONTENT_TYPES.get(Path(path).suffix, PLAIN)


def opened(data: bytes) -> Opened:
    return Opened(io.BytesIO(data), len(data))
