"""The double-check: items, leases on them, verdicts, and when they settle."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, models, transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from annotation.consensus import settled_decision
from annotation.models.slots import Slot
from chad_site.errors import NotAllowed
from recordings.models import CoverFragment, Humming

REVIEW_LEASE_TIME = timedelta(minutes=10)
# How many items a claim tries before it says that nothing is left: more than people claim in one moment.
CANDIDATES = 50


class Decision(models.TextChoices):
    ACCEPT = "accept"
    REJECT = "reject"


class Reason(models.TextChoices):
    """Why a version is not the fragment: first of hums, then of covers, then of both."""

    WRONG_TUNE = "wrong_tune", "wrong tune"
    OFF_TIME = "off_time", "off in time"
    WORDS = "words", "words sung"
    LEAK = "leak", "the reference leaks in"
    NOISE = "noise", "noise"
    CLIPPED = "clipped", "clipped"
    TOO_QUIET = "too_quiet", "too quiet"
    CUT_OFF = "cut_off", "cut off"
    SILENT = "silent", "silent"
    DIFFERENT_SONG = "different_song", "different song"
    WRONG_SECTION = "wrong_section", "wrong section"
    INSTRUMENTAL = "instrumental", "instrumental only"
    MEDLEY = "medley", "medley"
    TEMPO_CHANGES = "tempo_changes", "tempo changes"
    BAD_SEPARATION = "bad_separation", "bad separation"
    UNAVAILABLE = "unavailable", "unavailable"
    OTHER = "other", "other, in words"

    @classmethod
    def of_kind(cls, kind: str) -> list[Reason]:
        """The reasons that are offered for a hum or for a cover."""
        every = list(cls)
        of_hums, of_covers = every[:9], every[9:16]
        return [*(of_hums if kind == "hum" else of_covers), cls.OTHER]


class ReviewItemQuerySet(models.QuerySet["ReviewItem"]):
    def waiting(self) -> Self:
        """Not settled, of a song that may be used and a take that was not withdrawn."""
        return self.filter(settled_at=None).filter(
            Q(humming__state=Humming.State.CHECKED, humming__fragment__recording__song__taken_down_at=None)
            | Q(
                cover_fragment__state=CoverFragment.State.DOUBTFUL,
                cover_fragment__fragment__recording__song__taken_down_at=None,
            )
        )

    def for_person(self, person: AbstractBaseUser) -> Self:
        """Never one's own take, never one that one has judged, nor one that somebody else holds."""
        held_by_others = Q(leased_until__gt=timezone.now()) & ~Q(leased_to=person)
        judged = Exists(Verdict.objects.counted().filter(item=OuterRef("pk"), person=person))
        return self.waiting().exclude(humming__singer=person).exclude(held_by_others).exclude(judged)

    def most_helpful_first(self) -> Self:
        """Nearest to settled, then least sure, then oldest."""
        sureness = Coalesce("humming__check_result__similarity", "cover_fragment__correlation", 0.0)
        counted = Count("verdicts", filter=Q(verdicts__undone_at=None))
        return self.annotate(counted=counted, sureness=sureness).order_by("-counted", "sureness", "created_at")


class ReviewItem(models.Model):
    """A hum or a cover fragment that people are asked about."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    humming = models.OneToOneField(Humming, models.CASCADE, null=True, blank=True, related_name="review")
    cover_fragment = models.OneToOneField(CoverFragment, models.CASCADE, null=True, blank=True, related_name="review")
    leased_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    leased_until = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ReviewItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(humming=None) ^ Q(cover_fragment=None), name="review_of_a_hum_or_a_cover_fragment"
            ),
            models.UniqueConstraint(
                fields=["leased_to"], condition=Q(leased_to__isnull=False), name="one_item_leased_to_a_person"
            ),
        ]

    def __str__(self) -> str:
        return f"double-check of {self.version}"

    @property
    def version(self) -> Humming | CoverFragment:
        return self.humming or self.cover_fragment

    @property
    def kind(self) -> str:
        return "hum" if self.humming_id else "cover"

    @classmethod
    def claim(cls, person: AbstractBaseUser) -> ReviewItem | None:
        """The item this person holds, or a lease on the next one. None when nothing is left for them."""
        held = cls.objects.for_person(person).filter(leased_to=person, leased_until__gt=timezone.now()).first()
        if held:
            held.lease(person)
            return held
        candidates = cls.objects.for_person(person).most_helpful_first().values_list("pk", flat=True)[:CANDIDATES]
        try:
            return next(filter(None, (cls._try_to_lease(pk, person) for pk in list(candidates))), None)
        except IntegrityError:  # another tab of this person was first, and a person holds one item
            return cls.objects.for_person(person).filter(leased_to=person).first()

    @classmethod
    @transaction.atomic
    def _try_to_lease(cls, item_id: uuid.UUID, person: AbstractBaseUser) -> ReviewItem | None:
        """Locks one item and leases it if it still waits: a lease or a verdict may have come since it was looked up."""
        item = cls.objects.select_for_update(skip_locked=True).filter(pk=item_id).first()
        if item and cls.objects.for_person(person).filter(pk=item_id).exists():
            item.lease(person)
            return item
        return None

    def lock(self) -> ReviewItem:
        """Locks the item, and before it the slots that settling may free or fill. Call in a transaction."""
        if self.humming_id:
            Slot.lock(self.humming.fragment_id)
        return ReviewItem.objects.select_for_update(of=("self",)).get(pk=self.pk)

    def lease(self, person: AbstractBaseUser) -> None:
        """This person holds this item now, and no other."""
        type(self).objects.filter(leased_to=person).exclude(pk=self.pk).update(leased_to=None, leased_until=None)
        self.leased_to, self.leased_until = person, timezone.now() + REVIEW_LEASE_TIME
        self.save(update_fields=["leased_to", "leased_until"])

    def is_held_by(self, person: AbstractBaseUser) -> bool:
        return self.leased_to_id == person.pk and self.leased_until is not None and self.leased_until > timezone.now()

    @transaction.atomic
    def judge(
        self, person: AbstractBaseUser, decision: str, *, reason: str = "", words: str = "", nudge_s: float = 0.0
    ) -> Verdict:
        """Writes a verdict and settles the item if it was the last one needed. The caller has checked the lease."""
        self.lock()
        verdict, _ = Verdict.objects.update_or_create(
            item=self,
            person=person,
            defaults={
                "decision": decision,
                "reason": reason,
                "words": words,
                "nudge_s": nudge_s,
                "at": timezone.now(),
                "undone_at": None,
            },
        )
        self.leased_to = self.leased_until = None
        self.save(update_fields=["leased_to", "leased_until"])
        self._settle_if_agreed(person, why=verdict.in_words)
        return verdict

    def _settle_if_agreed(self, person: AbstractBaseUser, why: str) -> None:
        votes = list(self.verdicts.counted().values_list("decision", flat=True))
        decision = settled_decision(votes, needed=settings.VERDICTS_TO_SETTLE)
        if decision is None:
            return
        version = self.version
        states = type(version).State
        accepted = decision == Decision.ACCEPT
        version.move_to(states.ACCEPTED if accepted else states.REJECTED, why=why, person=person)
        if self.humming and not accepted:
            Slot.give_up(self.humming)
        self.settled_at = timezone.now()
        self.save(update_fields=["settled_at"])

    def reopen(self, person: AbstractBaseUser) -> None:
        """A settled item goes back to the queue. Call in a transaction."""
        version = self.version
        if version.state == Humming.State.WITHDRAWN:
            raise NotAllowed("Its singer has withdrawn this take; there is nothing to judge any more.")
        if self.humming:
            was_rejected = version.state == Humming.State.REJECTED
            version.move_to(Humming.State.CHECKED, why="A verdict was taken back.", person=person)
            if was_rejected and Slot.put(self.humming, lease=None) is None:
                self.humming.surplus = True
                self.humming.save(update_fields=["surplus"])
        else:
            version.move_to(CoverFragment.State.DOUBTFUL, why="A verdict was taken back.", person=person)
        self.settled_at = None
        self.save(update_fields=["settled_at"])


class VerdictQuerySet(models.QuerySet["Verdict"]):
    def counted(self) -> Self:
        return self.filter(undone_at=None)


class Verdict(models.Model):
    """One person's judgement. A person has one verdict on an item, which they may take back and give again."""

    UNDO_TIME = timedelta(minutes=10)

    item = models.ForeignKey(ReviewItem, models.CASCADE, related_name="verdicts")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="verdicts")
    decision = models.CharField(max_length=10, choices=Decision)
    reason = models.CharField(max_length=20, choices=Reason, blank=True)
    words = models.TextField(blank=True)
    # The reviewer's own correction of the offset; the machine's value stays as it is.
    nudge_s = models.FloatField(default=0.0)
    at = models.DateTimeField(default=timezone.now)
    undone_at = models.DateTimeField(null=True, blank=True)

    objects = VerdictQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["item", "person"], name="one_verdict_a_person")]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.in_words}"

    @property
    def in_words(self) -> str:
        if self.decision == Decision.ACCEPT:
            return "Double-checked: the same and in step."
        return f"Double-checked: {self.words or Reason(self.reason).label}."

    @transaction.atomic
    def undo(self) -> None:
        """Takes the verdict back; the item returns to the queue if this verdict had settled it."""
        item = self.item.lock()
        self.undone_at = timezone.now()
        self.save(update_fields=["undone_at"])
        if item.settled_at:
            item.reopen(self.person)
        held_by_another = item.leased_until and item.leased_until > timezone.now() and item.leased_to != self.person
        if not held_by_another:
            item.lease(self.person)
