"""Simulated people: singers who hum from the score, and reviewers who know the truth and sometimes err.

All that they make is marked as simulated and is to be called synthetic wherever a figure comes from it.
"""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soundfile
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group
from django.core.files.base import ContentFile

from annotation.handing_out import claim
from annotation.models import Consent, ReviewItem
from annotation.models.verdicts import Decision, Reason
from annotation.roles import make_reviewer
from annotation.taking import SentTake, save_take
from ml_worker.audio.sound import Sound
from ml_worker.catalogue import SungTake, TimedNote, sing
from ml_worker.models import Job
from ml_worker.running import run_here
from ml_worker.work import CannotBeDone
from ml_worker.work.agreement import is_right
from recordings.models import CoverFragment, Fragment, Humming
from recordings.storage import sha256_of

SIMULATED = "simulated"
# One take in twelve is bad in one way or another, so that the check and the reviewers have something to find.
BAD_TAKES = 1 / 12
# How often a simulated reviewer errs.
REVIEWER_ERRORS = 0.03

Report = Callable[[float, str], None]


def person(name: str) -> AbstractBaseUser:
    """A simulated person: cannot sign in, and is in a group of its kind."""
    someone, is_new = get_user_model().objects.get_or_create(username=name)
    if is_new:
        someone.set_unusable_password()
        someone.save()
        someone.groups.add(Group.objects.get_or_create(name=SIMULATED)[0])
    return someone


@dataclass(frozen=True)
class Singer:
    """Hums what is handed out, along with the fragment or freely, now and then badly."""

    name: str
    seed: int

    def hum(self, takes: int, report: Report) -> int:
        """Hums up to so many fragments: how many there were."""
        me, chance = person(self.name), random.Random(f"singer {self.seed}")
        Consent.give(me)
        for number in range(takes):
            lease = claim(me)
            if lease is None:
                return number
            report(number / takes, f"{self.name}: {lease.slot.fragment}")
            sung = self.perform(lease.slot.fragment, chance)
            humming, _ = save_take(as_sent(sung, lease.pk), lease)
            run_here(Job.Kind.CHECK, humming.pk)
        return takes

    def perform(self, fragment: Fragment, chance: random.Random) -> SungTake:
        style = "off" if chance.random() < BAD_TAKES else chance.choice(["along", "free"])
        return sing(notes_of(fragment), seed=self.seed * 10_000 + chance.randrange(10_000), style=style)


def notes_of(fragment: Fragment) -> list[TimedNote]:
    """The notes of a generated recording's fragment, in seconds from its start."""
    notes = [TimedNote(*note) for note in (fragment.recording.truth or {}).get("notes", ())]
    inside = [note for note in notes if fragment.start_s <= (note.start_s + note.end_s) / 2 < fragment.end_s]
    if not inside:
        raise CannotBeDone(f"Simulated singers need a score, and {fragment} has none. They hum the starter catalogue.")
    return [TimedNote(n.start_s - fragment.start_s, n.end_s - fragment.start_s, n.pitch) for n in inside]


def as_sent(sung: SungTake, seed: uuid.UUID) -> SentTake:
    """A simulated take as a browser would send it, with the truth about it among the capture's facts."""
    audio = ContentFile(wav_of(sung.sound), "take.wav")
    truth = {
        "faults": list(sung.faults),
        "offset_s": sung.offset_s,
        "tempo_ratio": sung.tempo_ratio,
        "transposition": sung.transposition,
    }
    capture = {"mode": "after", "sample_rate": sung.sound.sample_rate, "gaps": [], "simulated": truth}
    return SentTake(uuid.uuid5(seed, "take"), audio, sha256_of(audio), capture, simulated=True)


def wav_of(sound: Sound) -> bytes:
    """24-bit PCM, as the humming page makes it."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(sound.mono(), -1, 1), sound.sample_rate, format="WAV", subtype="PCM_24")
    return file.getvalue()


@dataclass(frozen=True)
class Reviewer:
    """Judges simulated takes and generated covers by the truth, and errs now and then."""

    name: str
    seed: int

    def judge_all(self) -> int:
        """Judges what is in the queue, as far as the truth is known: how many verdicts there were."""
        me, chance = person(self.name), random.Random(f"reviewer {self.seed}")
        make_reviewer(me)
        verdicts = 0
        for item in self.judgeable(me):
            item.lease(me)
            good = is_good(item)
            if chance.random() < REVIEWER_ERRORS:
                good = not good
            if good:
                item.judge(me, Decision.ACCEPT)
            else:
                item.judge(me, Decision.REJECT, reason=Reason.WRONG_TUNE if item.humming else Reason.WRONG_SECTION)
            verdicts += 1
        return verdicts

    @staticmethod
    def judgeable(me: AbstractBaseUser) -> list[ReviewItem]:
        """What waits for this reviewer and is simulated; real hums are for real people."""
        waiting = ReviewItem.objects.for_person(me).order_by("pk")
        hums = waiting.filter(humming__simulated=True)
        covers = waiting.filter(cover_fragment__recording__truth__isnull=False)
        return [*hums, *covers]


def is_good(item: ReviewItem) -> bool:
    version = item.version
    return is_true_take(version) if isinstance(version, Humming) else is_true_cover(version)


def is_true_take(humming: Humming) -> bool:
    return not humming.capture["simulated"]["faults"]


def is_true_cover(cover: CoverFragment) -> bool:
    return is_right(cover)
