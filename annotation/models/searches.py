"""Searches: a hum of which somebody wants to know the song, and what that person said of the answer.

The row is the truth. A process of the queue `search` claims it, says every second that it lives, and writes the answer;
where that process dies, another one takes the search again. Hum and curve go after an hour.
"""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Count, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_noop

from recordings.models import Humming, Song

log = logging.getLogger("chad.searches")

# Nobody waits longer than this.
PATIENCE = timedelta(seconds=60)
# A search whose process was still for so long lost it; it says so every second.
HEARTBEAT = timedelta(seconds=1)
STALE_AFTER = 5 * HEARTBEAT
# A hum over which so many processes died is their cause.
MOST_ATTEMPTS = 2
# The hum and its curve are deleted after this.
HUM_KEPT = timedelta(hours=1)
# Rows go too: those of a hum that went on after a day, others that nobody said a word on after a month.
PARTIAL_KEPT, KEPT = timedelta(days=1), timedelta(days=30)

# Stored in English, and translated where it is read.
TOO_LATE = gettext_noop("Nobody got to this search in time: there are too many just now. Try again in a minute.")
HARMFUL = gettext_noop("This recording cannot be read. Record it again, or save it as WAV.")
SUPERSEDED = gettext_noop("A newer search of the same hum took its place.")
# Why a search is refused, as a word for scripts.
LATE, UNREADABLE, NEWER = "too_late", "unreadable", "superseded"


def search_audio_name(search: Search, filename: str) -> str:
    """Made of the id alone: no name from outside becomes a path."""
    return f"searches/{search.id}/hum"


def is_lost() -> Q:
    return Q(state=Search.State.SEARCHING, heartbeat_at__lt=timezone.now() - STALE_AFTER)


class SearchQuerySet(models.QuerySet["Search"]):
    def open(self) -> Self:
        return self.filter(state__in=Search.OPEN)

    def of(self, person: AbstractBaseUser | None, visitor: str) -> Self:
        """Those of a signed-in person, and those that came with this visitor's key (its digest)."""
        own = Q(pk__in=[])
        if person is not None:
            own |= Q(owner=person)
        if visitor:
            own |= Q(visitor=visitor)
        return self.filter(own)

    def lost(self) -> Self:
        """Their process is gone."""
        return self.filter(is_lost())

    def to_answer(self) -> Self:
        """In the order in which they are taken: a whole hum before one that goes on, everybody's first before anybody's
        second.
        """
        before = Search.objects.open().filter(asker=OuterRef("asker"), partial=OuterRef("partial")).order_by()
        before = before.filter(created_at__lt=OuterRef("created_at")).values("asker")
        turn = Coalesce(Subquery(before.annotate(count=Count("pk")).values("count")), 0)
        return self.filter(Q(state=Search.State.WAITING) | is_lost()).order_by("partial", turn, "created_at")

    def nobodys(self) -> Self:
        """Those whose person deleted the account."""
        return self.filter(owner=None, visitor="")


class Search(models.Model):
    """One search: of a whole hum, or of its beginning while it goes on."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SEARCHING = "searching"
        DONE = "done"
        """`answer` holds what was found."""
        REFUSED = "refused"
        """`sentence` says why, and what to do."""

    OPEN = (State.WAITING, State.SEARCHING)

    # Made by the browser, so that sending twice makes one; or here.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    hum = models.UUIDField(default=uuid.uuid4, db_index=True, help_text="The same for all searches of one hum")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="searches")
    visitor = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="Of who is not signed in: a digest of their key"
    )
    asker = models.CharField(
        max_length=64, blank=True, help_text="Whose it is by the limits, as long as it waits: a digest, or nothing"
    )
    partial = models.BooleanField(default=False, help_text="Sent while the person still hums")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    code = models.CharField(max_length=40, blank=True, help_text="Why it was refused, as a word")
    sentence = models.TextField(blank=True, help_text="Why it was refused, or still waits")
    audio = models.FileField(upload_to=search_audio_name, blank=True)
    size = models.PositiveIntegerField(default=0, help_text="Of the audio, as long as it is kept; bytes")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    curve = models.JSONField(null=True, blank=True, help_text='The hum from its first note on: {"hop_s", "pitch"}')
    answer = models.JSONField(null=True, blank=True, help_text="What was found, by the ids of recordings")
    took = models.JSONField(default=dict, blank=True, help_text="Seconds of each step")

    objects = SearchQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "searches"
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                name="searches_to_answer",
                fields=["partial", "created_at"],
                condition=Q(state__in=("waiting", "searching")),
            )
        ]

    def __str__(self) -> str:
        return f"search {self.id} ({self.state})"

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    @classmethod
    def over(cls, state: str) -> dict[str, Any]:
        """What a search has that is over: nobody is counted by it any more."""
        return {"state": state, "asker": "", "finished_at": timezone.now()}

    # --- in the queue

    def supersede_older(self) -> int:
        """What waits of the same hum, and was sent while it went on, is not worth an answer any more: how many."""
        older = Search.objects.of(self.owner, self.visitor).filter(hum=self.hum, partial=True)
        waiting = older.filter(state=self.State.WAITING, created_at__lt=self.created_at)
        return waiting.update(**self.over(self.State.REFUSED), code=NEWER, sentence=SUPERSEDED)

    @classmethod
    def refuse_hopeless(cls) -> int:
        """Refuses what nobody waits for any more, and hums over which one process after the other died: how many."""
        refused = cls.over(cls.State.REFUSED)
        harmful = cls.objects.lost().filter(attempts__gte=MOST_ATTEMPTS)
        count = harmful.update(**refused, code=UNREADABLE, sentence=HARMFUL)
        # One that is being answered this moment gets its answer.
        late = cls.objects.to_answer().order_by().filter(created_at__lt=timezone.now() - PATIENCE)
        count += late.exclude(sentence="").update(**refused, code=LATE)
        return count + late.filter(sentence="").update(**refused, code=LATE, sentence=TOO_LATE)

    @classmethod
    def refuse_waiting(cls, sentence: str, code: str) -> int:
        """Ends all that wait, without an answer; the sentence says what to do. How many that were."""
        waiting = cls.objects.filter(state=cls.State.WAITING)
        return waiting.update(**cls.over(cls.State.REFUSED), sentence=sentence, code=code)

    @classmethod
    @transaction.atomic
    def claim(cls, worker: str) -> Search | None:
        """The search to answer next, now this process's; None where there is none."""
        cls.refuse_hopeless()
        search = cls.objects.to_answer().select_for_update(skip_locked=True).first()
        if search is None:
            return None
        search.state, search.worker, search.sentence = cls.State.SEARCHING, worker, ""
        search.attempts += 1
        search.claimed_at = search.heartbeat_at = timezone.now()
        search.save(update_fields=["state", "worker", "sentence", "attempts", "claimed_at", "heartbeat_at"])
        return search

    def _still_ours(self) -> SearchQuerySet:
        """The row, as long as no other process has taken it."""
        return Search.objects.filter(pk=self.pk, state=self.State.SEARCHING, attempts=self.attempts)

    def put_back(self) -> bool:
        """It waits again. That there was nothing to search is no fault of the hum, so it is no attempt."""
        return bool(self._still_ours().update(state=self.State.WAITING, attempts=F("attempts") - 1))

    def beat(self) -> None:
        self._still_ours().update(heartbeat_at=timezone.now())

    def finish(self, answer: dict[str, Any], curve: dict[str, Any], took: dict[str, float]) -> bool:
        """Writes the answer; False where another process has taken the search, or its person is gone."""
        done = self.over(self.State.DONE)
        return bool(self._still_ours().update(**done, answer=answer, curve=curve, took=took))

    def refuse(self, sentence: str, code: str, took: dict[str, float] | None = None) -> bool:
        """Ends it without an answer; the sentence says what to do."""
        refused = self.over(self.State.REFUSED)
        return bool(self._still_ours().update(**refused, sentence=sentence, code=code, took=took or {}))

    # --- its end

    @classmethod
    def forget_over(cls) -> int:
        """Deletes hums and curves that are older than an hour, and rows that are over: how many hums that were.

        The bytes go first, so that none stay behind where this is cut short: it is tried again.
        """
        now = timezone.now()
        is_old = Q(created_at__lt=now - HUM_KEPT) | Q(code=NEWER)
        over = cls.objects.exclude(audio="", curve__isnull=True).filter(is_old)
        gone = sum(search.forget_hum() for search in (over | cls.objects.nobodys()).iterator())
        silent = cls.objects.filter(marks=None)
        old = Q(partial=True, created_at__lt=now - PARTIAL_KEPT) | Q(created_at__lt=now - KEPT)
        cls.objects.nobodys().filter(audio="").delete()
        silent.filter(old, audio="").delete()
        return gone

    @classmethod
    def keep_within(cls, most: int) -> int:
        """Deletes the oldest hums where all of them together have more than so many bytes: how many hums that were.

        So nobody fills the disk by searching, however fast it may be done.
        """
        kept = cls.objects.exclude(audio="")
        over = (kept.aggregate(all=Sum("size"))["all"] or 0) - most
        gone = 0
        for search in kept.exclude(state__in=cls.OPEN).order_by("created_at").iterator() if over > 0 else ():
            over -= search.size
            gone += search.forget_sound()
            if over <= 0:
                break
        return gone

    def forget_hum(self) -> bool:
        """Deletes the hum and its curve. False where the storage fails; the row then still names the file."""
        if not self.forget_sound():
            return False
        Search.objects.filter(pk=self.pk).update(curve=None)
        return True

    def forget_sound(self) -> bool:
        """Deletes the hum, and leaves its curve."""
        if self.audio:
            try:
                self.audio.storage.delete(self.audio.name)
            except Exception:  # a storage has errors of its own
                log.exception("The hum of %s could not be deleted; that is tried again in some minutes.", self)
                return False
        Search.objects.filter(pk=self.pk).update(audio="", size=0)
        return True


class SearchMark(models.Model):
    """A person's word on one song of an answer."""

    search = models.ForeignKey(Search, models.CASCADE, related_name="marks")
    song = models.ForeignKey(Song, models.CASCADE, related_name="search_marks")
    right = models.BooleanField(help_text="Whether this is the song that was hummed")
    humming = models.ForeignKey(
        Humming, models.SET_NULL, null=True, blank=True, related_name="found_by", help_text="The hum, where it was kept"
    )
    at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["search", "song"], name="one_mark_of_a_song")]

    def __str__(self) -> str:
        return f"{self.search_id}: {'is' if self.right else 'is not'} {self.song}"
