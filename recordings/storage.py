"""Where files live: Django's default storage, private, under names made of ids."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage
from django.db.models.fields.files import FieldFile


class DurableFileSystemStorage(FileSystemStorage):
    """A folder whose files are on the disk, not only in its cache, when `save` returns.

    What the browser was told is saved must survive a power cut, so the file and its folder are flushed.
    """

    def _save(self, name: str, content: File) -> str:
        saved = super()._save(name, content)
        path = Path(self.path(saved))
        for target in (path, path.parent):
            handle = os.open(target, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        return saved


def sha256_of(file: BinaryIO) -> str:
    """The SHA-256 of a file, read in chunks from its beginning; leaves it at its beginning."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def put(field: FieldFile, name: str, data: bytes) -> None:
    """Gives a row's file field these bytes, without saving the row.

    A file of the same name that a killed job left behind is replaced, so that a job may run twice.
    """
    target = field.field.generate_filename(field.instance, name)
    if field.storage.exists(target):
        field.storage.delete(target)
    field.save(name, ContentFile(data), save=False)
