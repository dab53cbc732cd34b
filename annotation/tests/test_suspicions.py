"""Suspicious patterns, from the rows of verdicts."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.double_check import suspicions
from annotation.models import Control, ReviewItem, Verdict
from recordings.models import Fragment, Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}


@pytest.fixture
def fragment() -> Fragment:
    return factories.make_fragment()


@pytest.fixture
def items(fragment) -> list[ReviewItem]:
    """Thirty hums of one fragment of five seconds, without the work of settling them."""
    take = factories.make_humming(fragment, state=Humming.State.CHECKED)
    made = []
    for number in range(30):
        singer = factories.make_person(f"singer{number}")
        twin = copy.copy(take)
        twin.pk, twin.singer = uuid.uuid4(), singer
        twin.save(force_insert=True)
        made.append(ReviewItem.objects.create(humming=twin))
    return made


Judge = Callable[..., None]


@pytest.fixture
def judge(items) -> Judge:
    """Verdicts as rows: `judge(ann, accepts=lambda n: n % 2 == 0, took_s=8.0)`."""

    def write(person, accepts: Callable[[int], bool], took_s: float | None = 8.0, count: int = 30, **more) -> None:
        for number, item in enumerate(items[:count]):
            decision, reason = ("accept", "") if accepts(number) else ("reject", ["noise", "off_time"][number // 2 % 2])
            Verdict.objects.create(
                **{"reason": reason, **more}, item=item, person=person, decision=decision, took_s=took_s
            )

    return write


def codes(person) -> list[str]:
    return [pattern.code for pattern in suspicions.of_person(person).patterns]


def half(number: int) -> bool:
    return number % 2 == 0


def test_an_honest_reviewer_among_others_shows_nothing(judge):
    people = [factories.make_person(name) for name in ("ann", "bea", "cyd")]
    for person in people:
        judge(person, half)
    assert [codes(person) for person in people] == [[], [], []]
    assert suspicions.of_all() == []
    found = suspicions.of_person(people[0])
    assert (found.name, found.verdicts, found.person) == ("ann", 30, people[0].pk)


def test_signs_are_found_and_said(judge):
    ann, bea, yes, contrary = (factories.make_person(name) for name in ("ann", "bea", "yes", "contrary"))
    for honest in (ann, bea):
        judge(honest, half)
    judge(yes, lambda number: True, took_s=1.0)
    judge(contrary, lambda number: not half(number))
    assert codes(ann) == []
    assert codes(yes) == ["all_yes", "too_fast"]
    assert codes(contrary) == ["at_odds"]
    found = suspicions.of_all()
    assert [(one.name, len(one.patterns)) for one in found] == [("yes", 2), ("contrary", 1)]
    assert "30" in found[0].patterns[0].sentence


def test_who_judged_nothing_of_late_has_none(judge):
    ann = factories.make_person("ann")
    assert suspicions.of_person(ann) is None
    judge(ann, lambda number: True, at=timezone.now() - timedelta(days=31))
    assert suspicions.of_person(ann) is None
    assert suspicions.of_all() == []


def test_verdicts_that_were_taken_back_and_control_items_are_left_out(judge, items, fragment):
    ann = factories.make_person("ann")
    judge(ann, lambda number: True, took_s=1.0, undone_at=timezone.now())
    control = Control.objects.create(
        humming=items[0].humming, fragment=fragment, fault="as_is", curve={"hop_s": 0.02, "pitch": []}, duration_s=5.0,
        offset_s=0.0, tempo_ratio=1.0,
    )  # fmt: skip
    asked = ReviewItem.objects.create(control=control, state="control")
    Verdict.objects.create(item=asked, person=ann, decision="accept", took_s=1.0)
    assert suspicions.of_person(ann) is None


def test_the_crowd_is_the_others_or_an_admin(judge, items):
    """What settled by somebody's own verdict alone says nothing of it."""
    ann = factories.make_person("ann")
    judge(ann, half)
    rows = suspicions._newest_of_each([ann.pk])
    said = suspicions._what_was_said_of({row["item"] for row in rows})
    assert {suspicions._judged(row, said[row["item"]]).crowd_accepts for row in rows} == {None}
    root = factories.make_person("root", is_staff=True)
    items[0].overrule(root, "reject", "It is noise.")
    said = suspicions._what_was_said_of({items[0].pk})
    row = next(row for row in rows if row["item"] == items[0].pk)
    judged = suspicions._judged(row, said[items[0].pk])
    assert (judged.accepts, judged.crowd_accepts, judged.length_s) == (True, False, 5.0)


def test_the_number_of_queries_does_not_grow(judge, django_assert_num_queries):
    people = [factories.make_person(f"person{number}") for number in range(6)]
    for person in people:
        judge(person, lambda number: True, took_s=0.5)
    with django_assert_num_queries(4):
        suspicions.of_person(people[0])
    with django_assert_num_queries(5):
        assert len(suspicions.of_all()) == 6


def test_only_the_newest_of_each_are_looked_at(judge, monkeypatch):
    monkeypatch.setattr(suspicions, "LOOKED_AT", 10)
    ann, bea = factories.make_person("ann"), factories.make_person("bea")
    for person in (ann, bea):
        judge(person, half)
    assert [suspicions.of_person(person).verdicts for person in (ann, bea)] == [10, 10]
