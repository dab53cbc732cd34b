"""Bringing recordings in: announced as rows with their bytes or their video, decoded and checked by a job later."""

from __future__ import annotations

import re
from dataclasses import dataclass

from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from recordings.models import Recording, Song
from recordings.storage import sha256_of

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
# A page's address, as people copy it, with the id in it.
YOUTUBE_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.|m\.|music\.)?(?:youtube\.com/(?:watch\?(?:.*&)?v=|shorts/|embed/)|youtu\.be/)"
    r"(?P<id>[A-Za-z0-9_-]{11})(?:[?&#/].*)?"
)


class ImportRefused(ValueError):
    """What was to be brought in cannot be. Its text says why and what to do."""


@dataclass(frozen=True)
class About:
    """What a person says of a recording that they bring in: of a new song, or of one that is here."""

    title: str
    artist: str
    cover_of: Song | None = None
    licence: str = ""
    redistributable: bool = False
    original_of: Song | None = None

    def __post_init__(self) -> None:
        if not (self.title.strip() and self.artist.strip()):
            raise ImportRefused("A song needs a title and an artist.")
        if len(self.title) > 300 or len(self.artist) > 300:
            raise ImportRefused("A title and an artist have at most 300 letters each.")


def youtube_id_of(text: str) -> str:
    """The video's id in an id or an address; refuses everything else."""
    text = text.strip()
    if YOUTUBE_ID.fullmatch(text):
        return text
    address = YOUTUBE_ADDRESS.fullmatch(text)
    if address is None:
        raise ImportRefused("This is neither a YouTube id (11 letters and digits) nor the address of a YouTube video.")
    return address["id"]


def import_file(file: File, about: About) -> tuple[Recording, bool]:
    """Takes a file in: (its recording, whether it is new). The same file twice is one recording."""
    if file.size == 0:
        raise ImportRefused("The file is empty. Choose a file with sound in it.")
    if file.size > settings.MAX_IMPORT_BYTES:
        raise ImportRefused(
            f"The file is larger than {settings.MAX_IMPORT_BYTES // 1_000_000} MB. Cut it, or store it as FLAC."
        )
    digest = sha256_of(file)
    before = Recording.objects.filter(upload_sha256=digest).first()
    if before:
        return before, False
    recording = _announce(about, Recording.Source.FILE)
    recording.upload_sha256 = digest
    recording.upload.save("as-it-came", file, save=False)
    return _insert(recording, about, Recording.objects.filter(upload_sha256=digest))


def import_video(youtube_id: str, about: About) -> tuple[Recording, bool]:
    """Announces a video, to be fetched by a job: (its recording, whether it is new)."""
    youtube_id = youtube_id_of(youtube_id)
    before = Recording.objects.filter(youtube_id=youtube_id).first()
    if before:
        return before, False
    recording = _announce(about, Recording.Source.YOUTUBE)
    recording.youtube_id = youtube_id
    return _insert(recording, about, Recording.objects.filter(youtube_id=youtube_id))


def _announce(about: About, source: str) -> Recording:
    song = about.cover_of or about.original_of or Song(title=about.title.strip(), artist=about.artist.strip())
    return Recording(
        song=song,
        kind=Recording.Kind.COVER if about.cover_of else Recording.Kind.ORIGINAL,
        source=source,
        artist=about.artist.strip(),
        licence=about.licence.strip(),
        redistributable=about.redistributable,
    )


def _insert(recording: Recording, about: About, twins: QuerySet[Recording]) -> tuple[Recording, bool]:
    try:
        with transaction.atomic():
            if about.cover_of is None and about.original_of is None:
                recording.song.save()
            recording.save(force_insert=True)
    except IntegrityError:  # somebody brought the same in at this moment: theirs is the one
        twin = twins.first()
        if twin is None:
            raise
        if recording.upload:
            recording.upload.delete(save=False)
        return twin, False
    return recording, True
