"""The audio of a release: what is not in its folder yet, encoded from the storage."""

from __future__ import annotations

from pathlib import Path

from django.db.models import QuerySet

from recordings.models import Release, ReleasedVersion
from recordings.release.errors import ReleaseRefused
from recordings.release.files.audio import Encoded
from recordings.release.files.folder import file_sha256, write_whole
from recordings.release.files.stored import StoredAudio
from recordings.release.progress import Progress

ROWS_AT_ONCE = 200


def with_audio(release: Release) -> QuerySet[ReleasedVersion]:
    return release.versions.exclude(source={})


def write_audio(release: Release, out: Path, progress: Progress) -> None:
    """Writes what is not there yet, file by file of the storage. The first time each one's path and sum are noted."""
    versions = with_audio(release).order_by("source__file", "pk")
    total, learned = versions.count(), []
    with StoredAudio() as stored:
        for done, version in enumerate(versions.iterator(chunk_size=ROWS_AT_ONCE)):
            progress(done / total, f"Audio {done + 1} of {total}")
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
    must_be_as_noted(version, encoded, release)
    if version.audio:
        return []
    place = version.row["dataset"]
    version.audio = f"{place['group_id']}/{place['fragment_id']}/{place['id']}.{encoded.extension}"
    version.audio_sha256 = encoded.sha256
    return [version]


def must_be_as_noted(version: ReleasedVersion, encoded: Encoded, release: Release) -> None:
    if version.audio and encoded.sha256 != version.audio_sha256:
        raise ReleaseRefused(
            f"{version.audio} comes out otherwise than at the first export, by another FLAC encoder: the release was "
            f"frozen with {release.settings['encoder']}. Export it with that one."
        )


def keep(learned: list[ReleasedVersion]) -> None:
    ReleasedVersion.objects.bulk_update(learned, ["audio", "audio_sha256"])
