"""Versions of fragments as rows of a release. Every value is text already, so no later code writes it otherwise."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any
from uuid import UUID

from recordings.models import CoverFragment, Estimate, Fragment, Humming, Recording, ReleasedVersion, most_trusted
from recordings.release.files.curves import curve_path
from recordings.release.tables import (
    COVER,
    DATASET_COLUMNS,
    HUMMING,
    ORIGINAL,
    VERSIONS_COLUMNS,
    WHY_GET_IT,
    WHY_NO_WAY,
    WHY_NOT_STORED,
    flag,
    interval,
    number,
)
from recordings.splits import split_of_singer


def pseudonym(person_id: Any, key: str) -> str:
    """The singer's name in one release. Without the release's key nobody can tell who it is, nor link two releases."""
    digest = hmac.new(bytes.fromhex(key), str(person_id).encode("ascii"), hashlib.sha256).hexdigest()
    return f"singer-{digest[:16]}"


def original_version(fragment: Fragment) -> ReleasedVersion:
    """The original's own interval. Its id is the fragment's."""
    facts = {"correlation": number(1.0), "check_by_crowdsource": flag(False)}
    facts |= {"offset_s": number(0.0), "tempo_ratio": number(1.0), "transposition": number(0.0)}
    facts |= _of_recording(fragment.recording, fragment.start_s, fragment.end_s)
    source = _cut_from(fragment.recording, fragment.start_s, fragment.end_s)
    version = _version(fragment, fragment.pk, ORIGINAL, facts, source)
    return _with_curve_of(fragment.recording, version)


def cover_version(cover: CoverFragment, fragment: Fragment, judged: dict[str, str]) -> ReleasedVersion:
    """The interval of a cover, with what the double-check says of it. It is cut at its start, so its offset is 0."""
    facts = {
        "correlation": number(cover.correlation),
        "check_by_crowdsource": flag(cover.checked_by_people),
        "offset_s": number(0.0),
        "tempo_ratio": number(cover.tempo_ratio),
        "transposition": number(cover.transposition),
        "checkpoint": cover.checkpoint,
        "null_level": number(cover.null_level),
        **judged,
    }
    facts |= _of_recording(cover.recording, cover.start_s, cover.end_s)
    source = _cut_from(cover.recording, cover.start_s, cover.end_s)
    return _with_curve_of(cover.recording, _version(fragment, cover.pk, COVER, facts, source))


def hum_version(hum: Humming, fragment: Fragment, pseudonym_key: str, told: dict[str, str]) -> ReleasedVersion:
    """A whole take, with what the automatic check found in it, and what is told of its singer and the double-check."""
    facts = {
        "interval": interval(0.0, hum.duration_s),
        "check_by_crowdsource": flag(True),
        "is_available": flag(False),
        "duration": number(hum.duration_s),
        "licence": hum.licence,
        "sample_rate": str(hum.sample_rate),
        "singer": pseudonym(hum.singer_id, pseudonym_key),
        "simulated": flag(hum.simulated),
        "consent_version": hum.consent_version,
        "ai_training": flag(hum.ai_training),
        "singer_split": split_of_singer(hum.singer_id),
        **told,
    }
    facts |= _of_check(hum) | _of_estimates(hum)
    version = _version(fragment, hum.pk, HUMMING, facts, {"file": hum.audio.name, "sha256": hum.audio_sha256})
    check = getattr(hum, "check_result", None)
    return _with_curve(version, check.melody.name, check.method) if check and check.melody else version


def _of_check(hum: Humming) -> dict[str, str]:
    check = getattr(hum, "check_result", None)
    if check is None:
        return {}
    facts = {name: number(getattr(check, name)) for name in ("offset_s", "tempo_ratio", "transposition", "similarity")}
    measured = {name: check.measures.get(name) for name in ("snr_db", "voiced_share", "clipped_share", "coverage")}
    return facts | {name: number(value) for name, value in measured.items()} | {"check_method": check.method}


def _of_estimates(hum: Humming) -> dict[str, str]:
    """How far the offset is to be trusted, and the most trusted latency with its method."""
    estimates = hum.estimates.all()
    offset = most_trusted(estimates, Estimate.Quantity.OFFSET)
    latency = most_trusted(estimates, Estimate.Quantity.LATENCY)
    facts = {"offset_confidence": number(offset.confidence)} if offset else {}
    if latency is None:
        return facts
    told = {"latency_s": latency.value, "latency_confidence": latency.confidence}
    return facts | {name: number(value) for name, value in told.items()} | {"latency_method": latency.method}


def _of_recording(recording: Recording, start_s: float, end_s: float) -> dict[str, str]:
    end_s = _inside(recording, end_s)
    facts = {
        "youtube_id": recording.youtube_id,
        "interval": interval(start_s, end_s),
        "is_available": flag(bool(recording.youtube_id and recording.is_available)),
        "duration": number(end_s - start_s),
        "performer": _one_line(recording.artist or recording.song.artist),
        "source": recording.source,
        "licence": _one_line(recording.licence),
    }
    if _may_give(recording):
        return facts | {"sample_rate": str(recording.sample_rate or "")}
    return facts | {"why_no_audio": _why_no_audio(recording)}


def _cut_from(recording: Recording, start_s: float, end_s: float) -> dict[str, Any]:
    if not _may_give(recording):
        return {}
    bounds = {"start_s": start_s, "end_s": _inside(recording, end_s)}
    return {"file": recording.audio.name, "sha256": recording.audio_sha256, **bounds}


def _with_curve_of(recording: Recording, version: ReleasedVersion) -> ReleasedVersion:
    """With the pitch curve of its interval, where its audio may be given and was analysed."""
    latest = max(recording.analyses.all(), key=lambda analysis: analysis.created_at, default=None)
    if latest is None or not version.source:
        return version
    bounds = {name: version.source[name] for name in ("start_s", "end_s")}
    return _with_curve(version, latest.melody.name, f"{latest.tracker} on {latest.separation}", **bounds)


def _with_curve(version: ReleasedVersion, file: str, method: str, **bounds: float) -> ReleasedVersion:
    row = version.row["versions"]
    row["f0"] = curve_path(row)
    row["f0_method"] = _one_line(method)
    version.melody = {"file": file, **bounds}
    return version


def _inside(recording: Recording, end_s: float) -> float:
    return end_s if recording.duration_s is None else min(end_s, recording.duration_s)


def _may_give(recording: Recording) -> bool:
    return bool(recording.redistributable and recording.audio)


def _why_no_audio(recording: Recording) -> str:
    if recording.redistributable:
        return WHY_NOT_STORED
    return WHY_GET_IT if recording.youtube_id else WHY_NO_WAY


def _version(
    fragment: Fragment, version_id: UUID, audio_type: str, facts: dict[str, str], source: dict[str, Any]
) -> ReleasedVersion:
    """The row of both tables: what both say of a version, what the song says, and `facts`; the rest is blank."""
    song = fragment.recording.song
    known = {
        "group_id": str(song.pk),
        "fragment_id": str(fragment.pk),
        "id": str(version_id),
        "audio_type": audio_type,
        "split": song.split,
        "title": _one_line(song.title),
        "artist": _one_line(song.artist),
        "simulated": flag(False),
        **facts,
    }
    row = {
        "dataset": {column: known.get(column, "") for column in DATASET_COLUMNS},
        "versions": {column: known.get(column, "") for column in VERSIONS_COLUMNS},
    }
    return ReleasedVersion(version_id=version_id, audio_type=audio_type, row=row, source=source)


def _one_line(text: str) -> str:
    return " ".join(text.split())
