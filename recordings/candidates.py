"""Deciding on videos that may be covers: approved ones become recordings that wait to be fetched."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from chad_site.errors import NotAllowed
from recordings.importing import About, ImportRefused, import_video
from recordings.models import CoverCandidate, Recording

State = CoverCandidate.State


@transaction.atomic
def approve(
    candidate: CoverCandidate,
    person: AbstractBaseUser | None = None,
    *,
    why: str = "Approved.",
    licence: str = "",
    redistributable: bool = False,
) -> Recording:
    """The cover that this video becomes, waiting to be fetched.

    Raises:
        NotAllowed: it was approved before, its song was taken down, or the video is here already.
    """
    song = candidate.song
    if song.taken_down_at:
        raise NotAllowed(f"{song} was taken down. Put it back first.")
    candidate.move_to(State.APPROVED, why=why, person=person)
    performer = candidate.channel.strip().removesuffix(" - Topic") or candidate.title
    try:
        about = About(song.title, performer, song, licence, redistributable)
        recording, is_new = import_video(candidate.youtube_id, about)
    except ImportRefused as problem:
        raise NotAllowed(str(problem)) from problem
    if not is_new:
        raise NotAllowed(f"This video is here already, as {recording}. Refuse it.")
    _decided(candidate, person, recording)
    return recording


@transaction.atomic
def refuse(candidate: CoverCandidate, person: AbstractBaseUser | None = None) -> None:
    """It is no cover, or not wanted. Raises NotAllowed where it was approved: that is undone first."""
    candidate.move_to(State.REFUSED, why="Refused.", person=person)
    _decided(candidate, person, None)


@transaction.atomic
def undo(candidate: CoverCandidate, person: AbstractBaseUser | None = None) -> None:
    """Takes a decision back. What was approved leaves again, as long as nothing of it was fetched.

    Raises:
        NotAllowed: nothing was decided, or the video was fetched already.
    """
    recording = candidate.recording
    if recording is not None:
        recording = Recording.objects.select_for_update().get(pk=recording.pk)
        if recording.state == Recording.State.READY or recording.upload:
            raise NotAllowed("It was fetched already. Take the song down if it has to go.")
    before = State.FILTERED if candidate.filtered_because else State.PROPOSED
    candidate.move_to(before, why="The decision was taken back.", person=person)
    candidate.recording = candidate.decided_by = candidate.decided_at = None
    candidate.save(update_fields=["recording", "decided_by", "decided_at"])
    if recording is not None:
        recording.delete()


def _decided(candidate: CoverCandidate, person: AbstractBaseUser | None, recording: Recording | None) -> None:
    candidate.decided_by, candidate.decided_at, candidate.recording = person, timezone.now(), recording
    candidate.save(update_fields=["decided_by", "decided_at", "recording"])
