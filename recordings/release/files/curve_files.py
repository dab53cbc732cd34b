"""The pitch curves of a draft, cut from the stored melodies."""

from __future__ import annotations

import io
from pathlib import Path

from django.core.files.storage import default_storage

from recordings.models import Release
from recordings.release.errors import ReleaseRefused
from recordings.release.files.curves import curve_text
from recordings.release.files.folder import write_whole
from recordings.release.progress import Progress

ROWS_AT_ONCE = 200


def write_curves(release: Release, out: Path, progress: Progress) -> None:
    """A file for each version that has a melody. One melody is read once for all intervals that are cut from it."""
    versions = release.versions.exclude(melody={}).order_by("melody__file", "pk")
    total, name, melody = versions.count(), "", b""
    for done, version in enumerate(versions.iterator(chunk_size=ROWS_AT_ONCE)):
        progress(done / total, f"Pitch curve {done + 1} of {total}")
        path, source = version.row["versions"]["f0"], version.melody
        if source["file"] != name:
            name, melody = source["file"], read(source["file"])
        text = curve_text(io.BytesIO(melody), source.get("start_s", 0.0), source.get("end_s"))
        write_whole(out / path, text.encode())


def read(name: str) -> bytes:
    try:
        with default_storage.open(name) as file:
            return file.read()
    except FileNotFoundError as problem:
        raise ReleaseRefused(
            f"{name}, a melody that the release gives, is not in the storage any more. Analyse its recording again."
        ) from problem
