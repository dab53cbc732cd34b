"""What lower parts wait for, made into jobs: a recording without audio, one without an analysis, a hum without a check,
a reviewer whose verdicts are doubted, songs that the index lacks; and, now and then, control items to be made,
reviewers to be measured and videos to be looked at.

It is asked every few seconds, so what it asks stays small however much there is. A subject whose last job failed is
not tried again by itself: a person reads the sentence and starts it anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import CharField, Count, Exists, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Cast
from django.utils import timezone

from annotation.double_check.control_items import MOST, doubtful, wanted
from annotation.models import Control, Reviewer, ReviewItem, Verdict
from ml_worker import rounds
from ml_worker.models import Checkpoint, Job, SearchIndex, findable
from ml_worker.work.release import DRAFT
from recordings.models import AvailabilityCheck, CoverFragment, Humming, Recording, Release

# Somebody is looking at the screen.
PERSON_WAITS = 100
# Makes songs that can be hummed.
ORIGINALS = 50
# Labels that may be wrong wait to be asked anew.
DOUBTED = 40
# Short work that others' verdicts hang on; hundreds of analyses of covers may wait beside it.
SOON = 20
# Control items are made, and reviewers measured, not more often than this.
NOW_AND_THEN = timedelta(minutes=10)
# Songs that come one after the other come into the index together: each time makes one more part to look into.
SONGS_COME_TOGETHER = timedelta(seconds=30)
# No songs came for so long: the line between tunes that are there and others can be drawn, which takes a minute or two.
SETTLED = timedelta(minutes=3)
# An index of so many songs waits longer for more of them: NOW_AND_THEN.
LARGE_INDEX = 1000
# A video site that was out of reach is left alone for so long.
REST = timedelta(hours=1)

KIND_OF_SOURCE = {
    Recording.Source.GENERATED: Job.Kind.RENDER,
    Recording.Source.YOUTUBE: Job.Kind.FETCH,
    Recording.Source.FILE: Job.Kind.INGEST,
}


def without_job(rows: QuerySet, kind: str) -> QuerySet:
    """Rows that no job of this kind is open for, nor failed on."""
    blocking = Job.objects.filter(
        kind=kind, subject=Cast(OuterRef("pk"), CharField()), state__in=[*Job.OPEN, Job.State.FAILED]
    )
    return rows.exclude(Exists(blocking))


def priority_of(recording: Recording) -> int:
    return ORIGINALS if recording.kind == Recording.Kind.ORIGINAL else Job.UNHURRIED


def make_jobs() -> None:
    for humming in without_job(Humming.objects.without_check(), Job.Kind.CHECK):
        Job.ask(Job.Kind.CHECK, humming.pk, priority=PERSON_WAITS)
    for source, kind in KIND_OF_SOURCE.items():
        for recording in without_job(Recording.objects.waiting().filter(source=source), kind):
            Job.ask(kind, recording.pk, priority=priority_of(recording))
    for recording in without_job(Recording.objects.without_analysis(), Job.Kind.ANALYSE):
        Job.ask(Job.Kind.ANALYSE, recording.pk, priority=priority_of(recording))
    for reviewer in without_job(Reviewer.objects.with_verdicts_to_put_back(), Job.Kind.REASK):
        Job.ask(Job.Kind.REASK, reviewer.pk, priority=DOUBTED)
    for job in discarded_drafts():
        Job.ask(Job.Kind.RELEASE, job.subject, priority=SOON, step=DRAFT, notes=job.result["notes"])
    if controls_are_due():
        Job.ask(Job.Kind.CONTROLS, priority=SOON)
    if measuring_is_due():
        Job.ask(Job.Kind.CROWD, priority=SOON)
    index = SearchIndex.in_use()
    if index_is_due(index):
        # Whoever searches waits for the first one. A later one may take long, and the one before serves meanwhile; and
        # so does the line that is drawn when nothing is lacking.
        is_short = is_short_work(index) and index_lacks_something(index) and not (index and index.line_is_overdue)
        Job.ask(Job.Kind.INDEX, priority=SOON if is_short else Job.UNHURRIED, line=True)
    if looking_is_due():
        Job.ask(Job.Kind.AVAILABLE, priority=Job.UNHURRIED)
    rounds.look_after()


def discarded_drafts() -> list[Job]:
    """The jobs that made the drafts which were discarded since, because something in them was withdrawn or taken down;
    of those that an admin throws away the jobs go, too."""
    known = Release.objects.filter(version=OuterRef("subject"))
    later = Job.objects.filter(
        kind=Job.Kind.RELEASE, subject=OuterRef("subject"), created_at__gt=OuterRef("created_at")
    )
    made = Job.objects.filter(kind=Job.Kind.RELEASE, state=Job.State.DONE, arguments__step=DRAFT)
    return list(made.filter(~Exists(known), ~Exists(later), result__has_key="notes"))


def asked_since(kind: str, when: datetime) -> bool:
    """Whether a job of this kind was made since then. (All states are named for the index's sake.)"""
    priorities = (SOON, Job.UNHURRIED)  # as it is made here, and by hand
    jobs = Job.objects.filter(state__in=Job.State.values, priority__in=priorities, created_at__gte=when)
    return jobs.filter(kind=kind).exists()


def controls_are_due() -> bool:
    """Some have to be retired; or there are too few, and there is something to make more of."""
    if asked_since(Job.Kind.CONTROLS, timezone.now() - NOW_AND_THEN):
        return False
    known = Control.objects.aggregate(
        live=Count("pk", filter=Q(retired_at=None)),
        doubtful=Count("pk", filter=Q(retired_at=None) & doubtful()),
        retired_at=Max("retired_at"),
    )
    if known["doubtful"]:
        return True
    news = [when for when in (latest_acceptance(), known["retired_at"]) if when]
    if not news or known["live"] >= MOST or nothing_left_since(max(news)):
        return False
    return known["live"] < wanted()


def nothing_left_since(news: datetime) -> bool:
    """Whether the latest job of this module that made control items found nothing to make them of, or failed."""
    jobs = Job.objects.filter(state__in=Job.State.values, priority=SOON, kind=Job.Kind.CONTROLS, created_at__gte=news)
    latest = jobs.order_by("-created_at").first()
    if latest is None or latest.state in Job.OPEN:
        return False
    return latest.state == Job.State.FAILED or bool((latest.result or {}).get("nothing_left"))


def latest_acceptance() -> datetime | None:
    """When people last accepted a pair."""
    accepted = Q(humming__state=Humming.State.ACCEPTED) | Q(cover_fragment__state=CoverFragment.State.ACCEPTED)
    settled = ReviewItem.objects.filter(accepted, state=ReviewItem.State.SETTLED, settled_at__isnull=False)
    return settled.order_by("-settled_at").values_list("settled_at", flat=True).first()


def measuring_is_due() -> bool:
    """Verdicts were given since the reviewers were last measured, and that was a while ago."""
    measured_at = Reviewer.objects.aggregate(latest=Max("measured_at"))["latest"]
    a_while_ago = timezone.now() - NOW_AND_THEN
    if measured_at and measured_at > a_while_ago:
        return False
    new = Verdict.objects.standing().filter(Q(counts=True) | Q(item__control__isnull=False))
    if measured_at:
        new = new.filter(at__gt=measured_at)
    return new.exists() and not asked_since(Job.Kind.CROWD, a_while_ago)


def index_is_due(index: SearchIndex | None) -> bool:
    """Songs that can be found are not in the index, or are in it and may not be found, or it is of other checkpoints or
    of another engine than those in use.

    Where building it failed, a person reads the sentence and starts it anew.

    Args:
        index: the one in use; None where there is none.
    """
    is_large = index is not None and index.songs >= LARGE_INDEX
    if asked_since(Job.Kind.INDEX, timezone.now() - (NOW_AND_THEN if is_large else SONGS_COME_TOGETHER)):
        return False
    failed = Job.objects.filter(state=Job.State.FAILED, kind=Job.Kind.INDEX)
    if index and index.built_at:
        failed = failed.filter(created_at__gt=index.built_at)
    if failed.exists():
        return False
    return index_lacks_something(index) or line_is_due(index)


def line_is_due(index: SearchIndex | None) -> bool:
    """The index has had its songs for a while, and its line is to be drawn; or songs keep coming, and it is overdue."""
    if index is None or index.built_at is None or not index.lacks_line:
        return False
    return index.line_is_overdue or index.built_at < timezone.now() - SETTLED


def index_lacks_something(index: SearchIndex | None) -> bool:
    """Whether the index in use is not as it would be if it were brought up to date now."""
    if index is None:
        return findable().exists()
    is_of_others = not index.is_built_for(Checkpoint.objects.names_in_use())
    return is_of_others or index.new_recordings().exists() or index.gone_entries().exists()


def is_short_work(index: SearchIndex | None) -> bool:
    """The first index, and what comes to the one in use."""
    return index is None or index.is_built_for(Checkpoint.objects.names_in_use())


def looking_is_due() -> bool:
    """Videos are to be looked at whether they are still there, and the last look was a while ago."""
    now = timezone.now()
    if asked_since(Job.Kind.AVAILABLE, now - NOW_AND_THEN):
        return False
    lately = Job.objects.filter(state=Job.State.FAILED, kind=Job.Kind.AVAILABLE, created_at__gte=now - REST)
    return not lately.exists() and AvailabilityCheck.due(now).exists()
