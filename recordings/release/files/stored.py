"""Audio of released versions, from the storage."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import soundfile
from django.core.files.base import File
from django.core.files.storage import default_storage

from recordings.models import ReleasedVersion
from recordings.release.errors import ReleaseRefused
from recordings.release.files.audio import Encoded, encode_interval, encode_take


class StoredAudio:
    """Encodes versions from the stored files that they are cut from.

    The recording of the last version stays open for the next one, so ask for versions file by file. Each file has to
    be what it was when the release was frozen.
    """

    def __init__(self) -> None:
        self.name = ""
        self.file: File | None = None
        self.sound: soundfile.SoundFile | None = None

    def __enter__(self) -> StoredAudio:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self.sound:
            self.sound.close()
        if self.file:
            self.file.close()
        self.name, self.file, self.sound = "", None, None

    def encode(self, version: ReleasedVersion) -> Encoded:
        """The version's audio. Raises ReleaseRefused if its file is gone, changed or unreadable."""
        source = version.source
        try:
            if "start_s" not in source:
                return encode_take(io.BytesIO(_read_take(source)))
            self._open(source)
            return encode_interval(self.sound, source["start_s"], source["end_s"])
        except FileNotFoundError as problem:
            raise ReleaseRefused(
                f"{source['file']}, the audio of the {version.audio_type} {version.version_id}, is not in the storage "
                "any more. Put it back from a backup, or keep a finished export: it never changes."
            ) from problem
        except (OSError, soundfile.LibsndfileError) as problem:
            raise ReleaseRefused(f"{source['file']} in the storage cannot be read: {problem}.") from problem

    def _open(self, source: dict[str, Any]) -> None:
        if source["file"] == self.name:
            return
        self.close()
        self.file = default_storage.open(source["file"])
        digest = hashlib.sha256()
        for chunk in self.file.chunks():
            digest.update(chunk)
        _must_be(digest.hexdigest(), source)
        self.file.seek(0)
        self.sound = soundfile.SoundFile(self.file)
        self.name = source["file"]


def _read_take(source: dict[str, Any]) -> bytes:
    with default_storage.open(source["file"]) as file:
        data = file.read()
    _must_be(hashlib.sha256(data).hexdigest(), source)
    return data


def _must_be(digest: str, source: dict[str, Any]) -> None:
    if digest != source["sha256"]:
        raise ReleaseRefused(
            f"{source['file']} in the storage is not what it was when the release was frozen. Put the file back from "
            "a backup."
        )
