"""The queue of the double-check, at 1,000 to 100,000 waiting items, against the plain query that it replaced.

Runs in a database of its own, which is made for it and dropped afterwards; its rows are made up.
"""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.test import Client

from annotation.models import ReviewItem, Verdict
from annotation.roles import make_reviewer
from recordings.models import CoverFragment, Fragment, HumCheck, Humming, Recording, Song

SIZES = (1_000, 10_000, 100_000)
CALLS = 30
# Items that this reviewer has judged and that wait for a second person: they stand first in the queue, in the way.
JUDGED_SHARE = 0.02
# Everybody hums a fragment once: together they fill half of the largest queue.
SINGERS, FRAGMENTS = 200, 250
ROWS_AT_ONCE = 5_000


@contextmanager
def own_database() -> Iterator[None]:
    """An empty database beside the instance's own."""
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def person(name: str) -> AbstractBaseUser:
    return get_user_model().objects.create(username=name)


def fill(size: int, rita: AbstractBaseUser) -> None:
    """Half of the items hums, half cover fragments, of 250 songs."""
    chance = random.Random(size)
    singers = [person(f"singer {size} {number}") for number in range(SINGERS)]
    fragments = [made_fragment(f"{size} {number}") for number in range(FRAGMENTS)]
    covers = [Recording.objects.create(song=one.recording.song, kind="cover", source="file") for one in fragments]
    for start in range(0, size, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, size - start)
        pairs = [divmod(number, FRAGMENTS) for number in range(start // 2, (start + count) // 2)]
        hums = [made_hum(chance, fragments[fragment], singers[singer]) for singer, fragment in pairs]
        Humming.objects.bulk_create(hums)
        HumCheck.objects.bulk_create(
            [HumCheck(humming=hum, ok=True, similarity=chance.random(), method="made") for hum in hums]
        )
        found = [made_cover(chance, fragments, covers) for _ in range(count - len(hums))]
        CoverFragment.objects.bulk_create(found)
        items = [ReviewItem(humming=hum, sureness=chance.random(), missing=2) for hum in hums]
        items += [ReviewItem(cover_fragment=one, sureness=one.correlation, missing=2) for one in found]
        ReviewItem.objects.bulk_create(items)
        judge(chance, items, rita)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def made_fragment(title: str) -> Fragment:
    song = Song.objects.create(title=title, artist="made")
    recording = Recording.objects.create(song=song, kind="original", source="file", duration_s=60.0, state="ready")
    return Fragment.objects.create(recording=recording, start_s=1.0, end_s=6.0, origin="person")


def made_hum(chance: random.Random, fragment: Fragment, singer: AbstractBaseUser) -> Humming:
    return Humming(
        id=uuid.UUID(int=chance.getrandbits(128)), fragment=fragment, singer=singer, state=Humming.State.CHECKED,
        consent_version="made", audio="made.wav", audio_sha256="", sample_rate=16_000, frames=80_000,
    )  # fmt: skip


def made_cover(chance: random.Random, fragments: list[Fragment], covers: list[Recording]) -> CoverFragment:
    number = chance.randrange(len(fragments))
    start_s = 1000 * chance.random()
    return CoverFragment(
        id=uuid.UUID(int=chance.getrandbits(128)), fragment=fragments[number], recording=covers[number],
        start_s=start_s, end_s=start_s + 5, correlation=chance.uniform(0.3, 0.5), tempo_ratio=1.0,
        state=CoverFragment.State.DOUBTFUL, checkpoint=f"made-{chance.getrandbits(64)}",
    )  # fmt: skip


def judge(chance: random.Random, items: list[ReviewItem], rita: AbstractBaseUser) -> None:
    judged = chance.sample(items, round(JUDGED_SHARE * len(items)))
    Verdict.objects.bulk_create([Verdict(item=item, person=rita, decision="accept") for item in judged])
    ReviewItem.objects.filter(pk__in=[item.pk for item in judged]).update(missing=1)


# --- what is compared


def plain_queue(rita: AbstractBaseUser) -> list[Any]:
    """The query as it was before: states looked up through joins, verdicts counted for every item, all of it sorted."""
    states = Q(humming__state=Humming.State.CHECKED) | Q(cover_fragment__state=CoverFragment.State.DOUBTFUL)
    songs = Q(humming__fragment__recording__song__taken_down_at=None)
    judged = Exists(Verdict.objects.filter(item=OuterRef("pk"), person=rita, undone_at=None))
    waiting: QuerySet[ReviewItem] = ReviewItem.objects.filter(settled_at=None).filter(states & songs)
    mine = waiting.exclude(humming__singer=rita).exclude(judged)
    sure = Coalesce("humming__check_result__similarity", "cover_fragment__correlation", 0.0)
    counted = Count("verdicts", filter=Q(verdicts__undone_at=None))
    ordered = mine.annotate(counted=counted, sure=sure).order_by("-counted", "sure", "created_at")
    return [*ordered.values_list("pk", flat=True)[:50], mine.count()]


def seconds(act: Callable[[], Any], calls: int = CALLS) -> list[float]:
    act()  # plans and caches warm
    took = []
    for _ in range(calls):
        start = time.perf_counter()
        act()
        took.append(time.perf_counter() - start)
    return took


def row(size: int, what: str, arm: str, took: list[float], baseline_s: float) -> dict[str, Any]:
    median = statistics.median(took)
    return {
        "waiting items": size,
        "call": what,
        "arm": arm,
        "median_ms": 1000 * median,
        "p95_ms": 1000 * statistics.quantiles(took, n=20)[-1],
        "times faster than the plain query": baseline_s / median,
    }


def rows_of(size: int) -> Iterator[dict[str, Any]]:
    rita = person(f"reviewer {size}")
    make_reviewer(rita)
    fill(size, rita)
    client = Client(SERVER_NAME="localhost")
    client.force_login(rita)

    def next_item() -> None:
        answer = client.post("/api/review/next", {"holding": []}, content_type="application/json")
        assert answer.status_code == 200, answer.content
        ReviewItem.objects.held_by(rita).update(leased_to=None)

    plain = seconds(lambda: plain_queue(rita), calls=8)
    baseline_s = statistics.median(plain)
    yield row(size, "the first 50 items and the count", "baseline: joins, counts, sort", plain, baseline_s)
    yield row(size, "a lease on the next item (whole HTTP call)", "ours", seconds(next_item), baseline_s)
    yield row(size, "the review page", "ours", seconds(lambda: client.get("/review/")), baseline_s)
    for model in (Verdict, ReviewItem, CoverFragment, HumCheck, Humming):
        model.objects.all().delete()


def table() -> list[dict[str, Any]]:
    """All sizes: about two minutes on two cores."""
    with own_database():
        return [made for size in SIZES for made in rows_of(size)]
