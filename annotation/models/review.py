"""The double-check: items, leases on them, and when they settle."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from annotation.crowd import Consensus, Vote, consensus
from annotation.models.controls import Control
from annotation.models.reports import Report
from annotation.models.reviewers import SET_ASIDE_NOW, Reviewer
from annotation.models.slots import Slot
from annotation.models.studies import StudyWork
from annotation.models.verdicts import Decision, Verdict
from chad_site.errors import NotAllowed
from recordings.models import CoverFragment, Fragment, Humming, Song
from recordings.models.history import Stateful

SONG_DOWN = "Its song was taken down."
REVIEW_LEASE_TIME = timedelta(minutes=10)


class ReviewItemQuerySet(models.QuerySet["ReviewItem"]):
    def waiting(self) -> Self:
        """Those that people are still asked about."""
        return self.filter(state=ReviewItem.State.WAITING)

    def controls(self) -> Self:
        """Control items that may be handed out."""
        return self.filter(state=ReviewItem.State.CONTROL, control__retired_at=None)

    def held_by(self, person: AbstractBaseUser) -> Self:
        return self.filter(leased_to=person, leased_until__gt=timezone.now())

    def release(self) -> int:
        """Off their desks, for whoever comes next: how many."""
        return self.update(leased_to=None, leased_until=None)

    def new_to(self, person: AbstractBaseUser) -> Self:
        """Never one's own take, never one that one has judged, passed over or reported, nor one that somebody holds."""
        held_by_others = Q(leased_until__gt=timezone.now()) & ~Q(leased_to=person)
        judged = Verdict.objects.standing().filter(item=OuterRef("pk"), person=person)
        passed = PassedOver.objects.filter(item=OuterRef("pk"), person=person)
        own = Q(humming__singer=person) | Q(control__humming__singer=person)
        reported = Report.objects.filter(person=person).order_by().values("version_id")
        own |= Q(humming__in=reported) | Q(cover_fragment__in=reported)
        return self.exclude(own).exclude(held_by_others).exclude(Exists(judged)).exclude(Exists(passed))

    def controls_for(self, person: AbstractBaseUser) -> Self:
        """Control items that this person may be given: none whose pair they have judged and would know again."""
        judged = Verdict.objects.filter(person=person)
        of_hums = judged.exclude(item__humming=None).values("item__humming")
        of_covers = judged.exclude(item__cover_fragment=None).values("item__cover_fragment")
        new = self.controls().new_to(person)
        return new.exclude(control__humming__in=of_hums).exclude(control__cover_fragment__in=of_covers)

    def for_person(self, person: AbstractBaseUser) -> Self:
        return self.waiting().new_to(person)

    def most_helpful_first(self) -> Self:
        """Nearest to settled, then where the machine is least sure, then oldest. There is an index of this order."""
        return self.order_by("missing", "sureness", "created_at")


class ReviewItem(Stateful):
    """A hum or a cover fragment that people are asked about, or a control item whose truth is known."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SETTLED = "settled"
        """People agreed, or an admin overruled them."""
        DISPUTED = "disputed"
        """As many were asked as ever are, and they do not agree: an admin decides."""
        CLOSED = "closed"
        """There is nothing to judge any more: the take was withdrawn, or the song taken down."""
        CONTROL = "control"
        """A control item: asked of everybody, never settled."""

    # Those that somebody may be asked about.
    ASKED = (State.WAITING, State.CONTROL)
    NEXT = {
        State.WAITING: {State.SETTLED, State.DISPUTED, State.CLOSED},
        State.SETTLED: {State.SETTLED, State.WAITING, State.DISPUTED, State.CLOSED},
        State.DISPUTED: {State.SETTLED, State.WAITING, State.CLOSED},
        State.CLOSED: {State.WAITING, State.SETTLED},
        State.CONTROL: {State.CLOSED},
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    humming = models.OneToOneField(Humming, models.CASCADE, null=True, blank=True, related_name="review")
    cover_fragment = models.OneToOneField(CoverFragment, models.CASCADE, null=True, blank=True, related_name="review")
    control = models.OneToOneField(Control, models.CASCADE, null=True, blank=True, related_name="item")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_index=True)
    leased_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    leased_at = models.DateTimeField(null=True, blank=True, help_text="When this person was handed it")
    leased_until = models.DateTimeField(null=True, blank=True)
    # What the order of the queue goes by, kept up by `reconsider`, so that 100,000 items need no counting.
    missing = models.PositiveSmallIntegerField(default=2, help_text="How many verdicts settle it at the least")
    sureness = models.FloatField(default=0.0, help_text="0..1, the machine's similarity or correlation")
    probability = models.FloatField(null=True, blank=True, help_text="That it is good, by the weighted verdicts")
    overruled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    overruled_why = models.TextField(blank=True, help_text="The admin's reason; a take's singer reads it")
    settled_at = models.DateTimeField(null=True, blank=True, db_index=True)
    # Of an accepted version that somebody reported as wrong. Only verdicts from then on settle the item; until they do
    # the version stays what it was, since a stranger's word must not empty the dataset.
    reported_at = models.DateTimeField(null=True, blank=True)
    kept_state = models.CharField(max_length=10, blank=True, help_text="What a reported version stays while it waits")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReviewItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(humming__isnull=False, cover_fragment=None, control=None)
                    | Q(humming=None, cover_fragment__isnull=False, control=None)
                    | Q(humming=None, cover_fragment=None, control__isnull=False)
                ),
                name="review_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(control=None) ^ Q(state__in=("control",)) | Q(state="closed"),
                name="controls_are_never_settled",
            ),
        ]
        indexes = [
            models.Index(
                name="queue_of_the_double_check",
                fields=["missing", "sureness", "created_at"],
                condition=Q(state="waiting"),
            ),
            models.Index(fields=["leased_to"], condition=Q(leased_to__isnull=False), name="items_on_desks"),
        ]

    def __str__(self) -> str:
        return f"double-check of {self.version}"

    @classmethod
    @transaction.atomic
    def ask_about(cls, version: Humming | CoverFragment) -> ReviewItem:
        """Puts a checked hum or a doubtful cover fragment into the queue. Twice is once.

        What is of a song that is down is asked about when the song is put back.
        """
        if isinstance(version, Humming):
            of, sureness = {"humming": version}, version.check_result.similarity
        else:
            of, sureness = {"cover_fragment": version}, version.correlation
        first = {"sureness": sureness or 0.0, "missing": settings.VERDICTS_TO_SETTLE}
        item, is_new = cls.objects.get_or_create(**of, defaults=first)
        if is_new and is_down(version):
            item.close(SONG_DOWN)
            item.refresh_from_db()
        return item

    @property
    def version(self) -> Humming | CoverFragment:
        return self.humming or self.cover_fragment or self.control.source

    @property
    def kind(self) -> str:
        if self.control:
            return self.control.kind
        return "hum" if self.humming_id else "cover"

    @property
    def fragment(self) -> Fragment:
        """What is shown as the original."""
        return self.control.fragment if self.control else self.version.fragment

    # --- leases; annotation/double_check/claims.py hands them out

    def lock(self) -> ReviewItem:
        """Locks the item, and before it the slots that settling may free or fill. Call in a transaction."""
        if self.humming_id:
            Slot.lock(self.humming.fragment_id)
        return ReviewItem.objects.select_for_update(of=("self",)).get(pk=self.pk)

    def lease(self, person: AbstractBaseUser) -> None:
        now = timezone.now()
        if not self.is_held_by(person):
            self.leased_at = now
        self.leased_to, self.leased_until = person, now + REVIEW_LEASE_TIME
        self.save(update_fields=["leased_to", "leased_at", "leased_until"])

    @classmethod
    def extend_all(cls, person: AbstractBaseUser) -> datetime | None:
        """Everything on this person's desk stays there until one new moment; None where nothing lies there."""
        leased_until = timezone.now() + REVIEW_LEASE_TIME
        return leased_until if cls.objects.held_by(person).update(leased_until=leased_until) else None

    def release(self) -> None:
        self.leased_to = self.leased_until = None
        self.save(update_fields=["leased_to", "leased_until"])

    def is_held_by(self, person: AbstractBaseUser) -> bool:
        return self._holder_id == person.pk

    def is_held_by_another(self, person: AbstractBaseUser) -> bool:
        return self._holder_id not in (None, person.pk)

    @property
    def _holder_id(self) -> int | None:
        """On whose desk it lies now."""
        is_over = self.leased_until is None or self.leased_until <= timezone.now()
        return None if is_over else self.leased_to_id

    # --- judging

    @transaction.atomic
    def judge(
        self, person: AbstractBaseUser, decision: str, *, reason: str = "", words: str = "", **own: Any
    ) -> Verdict:
        """Writes a verdict, and settles the item if it was the last one needed. The caller has checked the lease.

        `own` are the reviewer's own values: nudge_s, trim_start_s, trim_end_s, heard_s, took_s. Where the item is a
        control item and the reviewer practises, `told` of the verdict says what it is.
        """
        lock_person(person)
        item = self.lock()
        if item.state not in self.ASKED:
            raise NotAllowed(f"This item is {item.state}; nobody is asked about it.")
        reviewer = Reviewer.of(person)
        verdict = Verdict.objects.create(
            item=item,
            person=person,
            decision=decision,
            reason=reason,
            words=words,
            proposed_offset_s=item.proposed_offset_s,
            counts=reviewer.counts,
            why_not="" if reviewer.counts else SET_ASIDE_NOW,
            **own,
        )
        StudyWork.bind_verdict(verdict)
        item.release()
        if item.control:
            verdict.told = item.control.tell(person, verdict) if reviewer.gets_feedback else None
            reviewer.look_again()
        item.reconsider(person, why=verdict.in_words)
        self.refresh_from_db()
        return verdict

    @property
    def proposed_offset_s(self) -> float | None:
        """Where the machine says that the fragment begins in the version."""
        if self.control:
            return self.control.offset_s
        return self.humming.check_result.offset_s if self.humming else 0.0

    def weigh(self) -> Consensus:
        """What the counted verdicts say, each with its reviewer's measured reliability."""
        verdicts = self.verdicts.counted().order_by("at").values_list("person", "decision", "at")
        votes = [
            Vote(person, decision == Decision.ACCEPT, self.is_before_report(at)) for person, decision, at in verdicts
        ]
        people = [vote.person for vote in votes]
        return consensus(votes, Reviewer.reliabilities(people), needed=settings.VERDICTS_TO_SETTLE)

    def is_before_report(self, at: datetime) -> bool:
        """Whether a verdict of then came before the version was reported as wrong, and settles nothing by itself."""
        return self.reported_at is not None and at < self.reported_at

    def ask_anew(self, person: AbstractBaseUser | None, why: str) -> None:
        """Somebody says that the version is wrong. Call in a transaction, with the item locked.

        People who have not judged it are asked; where an admin decided, an admin decides again. What is doubtful is
        asked about already.
        """
        is_asked = self.state != self.State.SETTLED and self.kept_state
        if is_asked or self.version.state not in accepted_states(self.version):
            return
        self.reported_at, self.kept_state, self.settled_at = timezone.now(), self.version.state, None
        found = self.weigh()
        self.missing, self.probability = found.missing, found.probability
        self.save(update_fields=["reported_at", "kept_state", "settled_at", "missing", "probability"])
        self._open(self.State.DISPUTED if self.overruled_by_id else self.State.WAITING, person, why)

    def reconsider(self, person: AbstractBaseUser | None, why: str) -> None:
        """Settles, reopens or turns the item as its verdicts now say. Call in a transaction, with the item locked."""
        if self.state in (self.State.CLOSED, self.State.CONTROL):
            return
        found = self.weigh()
        self.missing, self.probability = found.missing, found.probability
        self.save(update_fields=["missing", "probability"])
        if self.overruled_by_id:
            if self.state == self.State.WAITING:  # it was reported, and its song was down meanwhile
                self._open(self.State.DISPUTED, person, why)
            return
        if found.accepts is not None:
            self._settle(found.accepts, person, why)
        elif found.disputed:
            self._open(self.State.DISPUTED, person, why)
        else:
            self._open(self.State.WAITING, person, why)

    def _settle(self, accepts: bool, person: AbstractBaseUser | None, why: str) -> None:
        version = self.version
        target = decided(version, accepts)
        if self.state == self.State.SETTLED and version.state == target:
            return
        if version.state != target:
            self._move_version(target, person, why)
        self.move_to(self.State.SETTLED, why=why, person=person)
        before, self.settled_at = self.settled_at, timezone.now()
        self.save(update_fields=["settled_at"])
        Report.objects.decide(version.pk, removed=not accepts, why=why, at=self.settled_at, since=before)

    def _open(self, state: str, person: AbstractBaseUser | None, why: str) -> None:
        """The version is doubtful (again), and the item waits for more verdicts or for an admin.

        A version that was reported is what it was before.
        """
        version = self.version
        if is_down(version):
            state = self.State.CLOSED
        undecided = Humming.State.CHECKED if self.humming else CoverFragment.State.DOUBTFUL
        meanwhile = self.kept_state or undecided
        if version.state != meanwhile:
            if meanwhile not in version.NEXT[version.state]:  # what people decided is the machine's finding again
                self._move_version(undecided, person, why)
            self._move_version(meanwhile, person, why)
        if self.state != state:
            self.move_to(state, why=why, person=person)
            Report.objects.open_again(version.pk, since=self.settled_at)
            self.settled_at = None
            self.save(update_fields=["settled_at"])

    def _move_version(self, state: str, person: AbstractBaseUser | None, why: str) -> None:
        """Changes the state of the hum or cover fragment; a hum leaves its slot by rejection, and comes back to one."""
        version = self.version
        if version.state == Humming.State.WITHDRAWN:
            raise NotAllowed("Its singer has withdrawn this take; there is nothing to judge any more.")
        was_rejected = version.state == Humming.State.REJECTED
        version.move_to(state, why=why, person=person)
        if not self.humming:
            return
        if state == Humming.State.REJECTED:
            Slot.give_up(self.humming)
        elif was_rejected:
            self.humming.surplus = Slot.put(self.humming, lease=None) is None
            self.humming.save(update_fields=["surplus"])

    @transaction.atomic
    def overrule(self, admin: AbstractBaseUser, decision: str, why: str) -> None:
        """An admin decides, whatever the verdicts say; it stands until an admin decides otherwise."""
        item = self.lock()
        if item.state in (self.State.CLOSED, self.State.CONTROL):
            raise NotAllowed(f"This item is {item.state}; there is nothing to decide.")
        item.overruled_by, item.overruled_why = admin, why
        item.save(update_fields=["overruled_by", "overruled_why"])
        words, accepts = f"Overruled by an admin: {why}", decision == Decision.ACCEPT
        if item.state == self.State.SETTLED and item.version.state == decided(item.version, accepts):
            item.move_to(self.State.SETTLED, why=words, person=admin)  # the decision stands, and now by an admin's word
        else:
            item._settle(accepts, admin, words)
        if item.leased_to_id:
            item.release()
        self.refresh_from_db()

    @transaction.atomic
    def close(self, why: str, person: AbstractBaseUser | None = None) -> None:
        """There is nothing to judge any more. Call with the slots locked."""
        item = ReviewItem.objects.select_for_update(of=("self",)).get(pk=self.pk)
        if item.state != self.State.CLOSED:
            item.move_to(self.State.CLOSED, why=why, person=person)
            item.release()

    @transaction.atomic
    def open_again(self, why: str, person: AbstractBaseUser | None = None) -> None:
        """What was closed is asked again, or settles as its verdicts say."""
        item = self.lock()
        if item.state == self.State.CLOSED:
            item.move_to(self.State.WAITING, why=why, person=person)
            item.reconsider(person, why=why)


def lock_person(person: AbstractBaseUser) -> None:
    """Before slots and items: what one person does of the double-check happens in turn, and nothing once they are gone.

    A guest may have become somebody with an account meanwhile, and who had the last word may have lost it.
    """
    if not get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk).is_active:
        raise NotAllowed("This account is closed. Sign in again to go on.")


def is_down(version: Humming | CoverFragment) -> bool:
    """Whether its song is taken down, asked anew: a job may have read its rows long before."""
    return is_song_down(version.fragment_id)


def is_song_down(fragment_id: uuid.UUID) -> bool:
    return Song.objects.filter(recordings__fragments=fragment_id).exclude(taken_down_at=None).exists()


def accepted_states(version: Humming | CoverFragment) -> tuple[str, ...]:
    """Those in which a version is in the next release."""
    if isinstance(version, Humming):
        return (Humming.State.ACCEPTED,)
    return (CoverFragment.State.MATCHED, CoverFragment.State.ACCEPTED)


def decided(version: Humming | CoverFragment, accepts: bool) -> str:
    """The state of a version that people have decided on."""
    states = type(version).State
    return states.ACCEPTED if accepts else states.REJECTED


class PassedOver(models.Model):
    """A person could not tell, and leaves the item to others."""

    item = models.ForeignKey(ReviewItem, models.CASCADE, related_name="passed_over")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "passed over"
        constraints = [models.UniqueConstraint(fields=["item", "person"], name="passed_over_once")]

    def __str__(self) -> str:
        return f"{self.person_id} passed {self.item_id} over"
