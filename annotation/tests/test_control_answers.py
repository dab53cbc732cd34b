"""Answers to control items: which are right, and what of them a reviewer's standing goes by."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.models import PassedOver, Reviewer, Verdict
from annotation.models.verdicts import Decision
from annotation.tests.desks import hum_to_check, make_control
from recordings.models import Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Reviewer:
    return Reviewer.of(factories.make_person("ann"))


def answer(reviewer: Reviewer, decision: str = "accept", ago_s: float = 0.0, item=None, **fields) -> Verdict:
    at = timezone.now() - timedelta(seconds=ago_s)
    return Verdict.objects.create(
        item=item or make_control(), person=reviewer.person, decision=decision, at=at, **fields
    )


def rights(reviewer: Reviewer) -> list[bool]:
    return [right for _, right in reviewer.answered()]


@pytest.mark.parametrize(
    ("fault", "shift_ms", "nudge_s", "right"),
    [
        ("as_is", None, 0.0, True),
        ("as_is", None, -0.3, True),
        ("as_is", None, 0.31, False),
        ("as_is", None, 5.0, False),
        ("shifted", 500, 0.0, False),
        ("shifted", 500, -0.5, True),
        ("shifted", 500, -0.69, True),
        ("shifted", 500, -0.75, False),
        ("shifted", 500, 0.5, False),
        ("shifted", -400, 0.35, True),
        ("shifted", None, 0.0, False),
        ("swapped", None, 0.0, False),
        ("cut", None, 0.4, False),
    ],
)
def test_which_acceptances_are_right(fault, shift_ms, nudge_s, right):
    control = make_control(fault, **({"shift_ms": shift_ms} if shift_ms else {})).control
    assert control.is_right(Verdict(decision=Decision.ACCEPT, nudge_s=nudge_s)) is right
    assert control.is_right(Verdict(decision=Decision.REJECT, nudge_s=nudge_s)) is (fault != "as_is")


def test_answers_to_what_was_a_good_pair_once_say_nothing(ann):
    good, shifted = make_control(), make_control("shifted")
    for item in (good, shifted):
        answer(ann, "reject", item=item)
    passed = make_control()
    PassedOver.objects.create(item=passed, person=ann.person)
    assert sorted(rights(ann)) == [False, False, True]
    for item in (good, shifted, passed):
        item.control.humming.move_to(Humming.State.REJECTED, why="Overruled.")
        item.control.retire()
    assert rights(ann) == [True], "what was shifted was shifted"
    assert ann.score() == (1, 0)


def test_to_pass_one_over_is_a_wrong_answer_in_its_place(ann):
    answer(ann, ago_s=60)
    PassedOver.objects.create(item=make_control(), person=ann.person)
    PassedOver.objects.update(at=timezone.now() - timedelta(seconds=40))
    answer(ann, ago_s=20)
    PassedOver.objects.create(item=hum_to_check(), person=ann.person)
    assert rights(ann) == [True, False, True], "items that are no control items may be passed over"
    assert ann.score() == (2, 1)


def test_who_passes_all_of_them_over_is_set_aside(ann):
    for number in range(8):
        assert ann.state == Reviewer.State.NEW, number
        PassedOver.objects.create(item=make_control(), person=ann.person)
        ann.look_again()
    assert ann.state == Reviewer.State.SET_ASIDE
    assert ann.put_back_from == PassedOver.objects.earliest("at").at


def test_an_answer_taken_back_late_counts_as_it_was_first_given(ann):
    slip, late = make_control(), make_control()
    for item, after_s in ((slip, 14), (late, 16)):
        first = answer(ann, "reject", ago_s=100, item=item)
        first.undone_at = first.at + timedelta(seconds=after_s)
        first.save()
    assert rights(ann) == [False]
    for item in (slip, late):
        answer(ann, ago_s=50, item=item)
    assert rights(ann) == [False, True]
    assert ann.answered() == sorted(ann.answered())


def test_only_what_came_since_the_standing_changed_changes_it(ann):
    for _ in range(8):
        answer(ann, "reject", ago_s=100)
    ann.changed_at = timezone.now() - timedelta(seconds=50)
    ann.look_again()
    assert ann.state == Reviewer.State.NEW
    ann.changed_at = timezone.now() - timedelta(seconds=200)
    ann.look_again()
    assert ann.state == Reviewer.State.SET_ASIDE


def test_a_long_past_is_read_in_two_questions(ann, django_assert_num_queries):
    for _ in range(30):
        answer(ann)
    with django_assert_num_queries(2):
        assert ann.score() == (20, 0)
