"""Simulated people: singers who hum from the score, and reviewers who know the truth and sometimes err.

All that they make is marked as simulated and is to be called synthetic wherever a figure comes from it.
"""

from __future__ import annotations

import io
import math
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
import soundfile
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group
from django.core.files.base import ContentFile
from django.db.models import Q, QuerySet

from annotation.double_check.control_items import wanted
from annotation.handing_out import claim
from annotation.models import Consent, Control, ReviewItem
from annotation.models import Reviewer as Standings
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
# The faults of the simulated singer, as reviewers name them.
REASON_OF_FAULT = {
    "silence": Reason.SILENT,
    "clipped": Reason.CLIPPED,
    "too short": Reason.CUT_OFF,
    "noise": Reason.NOISE,
}
# How long a careful one takes, how often one moves what is accepted, and by how much, in steps of the review page.
USUAL_TIME_S = 6.0
NUDGES, NUDGE_SPREAD_S, NUDGE_STEP_S = 0.4, 0.012, 0.005
# Items that are judged before there are control items; between two of these, and control items at the end, each.
FIRST_ITEMS, ITEMS_BETWEEN, CONTROLS_AT_THE_END = 20, 5, 5
# More reviewers than that are not called in for what stays open.
MOST_CALLED_IN = 5

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


class Habit(StrEnum):
    """How a simulated reviewer goes about it."""

    CAREFUL = "careful"
    SAYS_YES = "says always yes"
    FLIPS_A_COIN = "flips a coin"


SPAMMERS = (Habit.SAYS_YES, Habit.FLIPS_A_COIN)


@dataclass(frozen=True)
class Reviewer:
    """Judges simulated takes and generated covers: most by the truth, and err now and then; spammers by no truth."""

    name: str
    seed: int
    habit: Habit = Habit.CAREFUL

    @cached_property
    def me(self) -> AbstractBaseUser:
        someone = person(self.name)
        make_reviewer(someone)
        return someone

    @cached_property
    def chance(self) -> random.Random:
        return random.Random(f"reviewer {self.name} {self.seed}")

    def judge(self, item: ReviewItem, good: bool) -> None:
        """Gives a verdict on an item that is good or bad in truth."""
        item.lease(self.me)
        if self.accepts(good):
            item.judge(self.me, Decision.ACCEPT, **self.manner(), nudge_s=self.nudge())
        else:
            item.judge(self.me, Decision.REJECT, reason=reason_against(item), **self.manner())

    def accepts(self, good: bool) -> bool:
        if self.habit == Habit.SAYS_YES:
            return True
        if self.habit == Habit.FLIPS_A_COIN:
            return self.chance.random() < 0.5
        return good != (self.chance.random() < REVIEWER_ERRORS)

    def manner(self) -> dict[str, float]:
        """How long it took and how much was heard: spammers hear no more than has to be heard."""
        if self.habit in SPAMMERS:
            heard_s = self.chance.uniform(1.5, 1.8)
            return {"heard_s": round(heard_s, 2), "took_s": round(heard_s + self.chance.uniform(0.1, 0.5), 2)}
        took_s = self.chance.lognormvariate(math.log(USUAL_TIME_S), 0.35)
        return {"heard_s": round(took_s * self.chance.uniform(0.6, 0.95), 2), "took_s": round(took_s, 2)}

    def nudge(self) -> float:
        """Now and then an accepted version is moved a little, in the steps of the review page."""
        if self.habit in SPAMMERS or self.chance.random() > NUDGES:
            return 0.0
        return round(round(self.chance.gauss(0, NUDGE_SPREAD_S) / NUDGE_STEP_S) * NUDGE_STEP_S, 3)

    def answer_controls(self, most: int) -> int:
        """Judges up to so many control items that this reviewer has not met yet: how many."""
        new = ReviewItem.objects.controls().new_to(self.me).filter(made_of_simulated_pairs()).order_by("pk")
        items = list(new.select_related("control__humming", "control__cover_fragment")[:most])
        for item in items:
            self.judge(item, item.control.expected == Decision.ACCEPT)
        return len(items)


def careful_reviewer(number: int) -> Reviewer:
    return Reviewer(f"simulated-reviewer-{number}", number)


@dataclass
class Crowd:
    """Simulated reviewers at one queue."""

    reviewers: list[Reviewer]

    @classmethod
    def of(cls, reviewers: int, spammers: int = 0) -> Crowd:
        careful = [careful_reviewer(n) for n in range(1, reviewers + 1)]
        habits = [(n, SPAMMERS[(n - 1) % len(SPAMMERS)]) for n in range(1, spammers + 1)]
        return cls([*careful, *(Reviewer(f"simulated-spammer-{n}", n, habit) for n, habit in habits)])

    def judge_all(self) -> int:
        """Judges until nothing waits that one of them may judge, control items in between: how many verdicts.

        Who is set aside meanwhile has the recent verdicts asked anew. For what stays open when all have judged it, more
        careful reviewers are called in. Everybody is measured at the end.
        """
        if not self.reviewers:
            return 0
        verdicts = self.judge_waiting(FIRST_ITEMS)  # pairs to make control items of
        stock_up()
        verdicts += self.judge_waiting() + self.answer_controls(CONTROLS_AT_THE_END)
        while self.put_back():
            verdicts += self.judge_waiting()
        for _ in range(MOST_CALLED_IN):
            if not waiting_for_simulated().exists():
                break
            self.call_in_one_more()
            verdicts += self.judge_waiting()
        stock_up()
        if verdicts:
            run_here(Job.Kind.CROWD)
        return verdicts

    def call_in_one_more(self) -> None:
        careful = sum(reviewer.habit == Habit.CAREFUL for reviewer in self.reviewers)
        self.reviewers.append(careful_reviewer(careful + 1))

    def judge_waiting(self, most: int | None = None) -> int:
        """Judges what waits, as far as the truth is known, each item by one after the other until it is settled."""
        verdicts = 0
        for number, item in enumerate(waiting_for_simulated().order_by("pk")[:most], start=1):
            verdicts += self.judge(item)
            if number % ITEMS_BETWEEN == 0:
                verdicts += self.answer_controls(1)
        return verdicts

    def judge(self, item: ReviewItem) -> int:
        """How many of them it took; an item may stay open when all have judged it."""
        good, verdicts = is_good(item), 0
        before = set(item.verdicts.standing().values_list("person", flat=True))
        for reviewer in random.Random(str(item.pk)).sample(self.reviewers, len(self.reviewers)):
            if item.state == ReviewItem.State.WAITING and reviewer.me.pk not in before:
                reviewer.judge(item, good)
                verdicts += 1
        return verdicts

    def answer_controls(self, most: int) -> int:
        return sum(reviewer.answer_controls(most) for reviewer in self.reviewers)

    def put_back(self) -> int:
        """Asks anew what those judged who were set aside: of how many of them."""
        people = [reviewer.me.pk for reviewer in self.reviewers]
        doubted = list(Standings.objects.with_verdicts_to_put_back().filter(person__in=people))
        for one in doubted:
            run_here(Job.Kind.REASK, one.pk)
        return len(doubted)


def stock_up() -> None:
    if Control.objects.live().count() < wanted():
        run_here(Job.Kind.CONTROLS)


def fewest_reviewers() -> int:
    """As many as a split needs until it is settled."""
    return 2 * settings.VERDICTS_TO_SETTLE - 1


def waiting_for_simulated() -> QuerySet[ReviewItem]:
    """What waits and is simulated; real hums are for real people."""
    simulated = Q(humming__simulated=True) | Q(cover_fragment__recording__truth__isnull=False)
    related = "humming", "cover_fragment__fragment", "cover_fragment__recording__song"
    return ReviewItem.objects.waiting().filter(simulated).select_related(*related)


def made_of_simulated_pairs() -> Q:
    return Q(control__humming__simulated=True) | Q(control__cover_fragment__recording__truth__isnull=False)


def reason_against(item: ReviewItem) -> str:
    """A reason that fits what is wrong, where something is; else the commonest."""
    if item.kind == "cover":
        return Reason.WRONG_SECTION
    if item.control:
        return Control.REASON.get(item.control.fault, Reason.WRONG_TUNE)
    faults = item.humming.capture["simulated"]["faults"]
    return REASON_OF_FAULT.get(faults[0], Reason.WRONG_TUNE) if faults else Reason.WRONG_TUNE


def is_good(item: ReviewItem) -> bool:
    version = item.version
    return is_true_take(version) if isinstance(version, Humming) else is_true_cover(version)


def is_true_take(humming: Humming) -> bool:
    return not humming.capture["simulated"]["faults"]


def is_true_cover(cover: CoverFragment) -> bool:
    return is_right(cover)
