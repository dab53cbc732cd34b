"""Many reviewers at once: nobody is asked too often, nobody votes twice, nothing waits in a circle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db.models import Count

from annotation import taking
from annotation.double_check.claims import HELD_AT_ONCE, claim
from annotation.models import Reviewer, ReviewItem, Verdict
from annotation.tests.desks import Desk, cover_to_check, hum_to_check
from annotation.tests.test_slots import together
from chad_site.errors import NotAllowed
from recordings.models import CoverFragment, Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

REVIEWERS = 50


def desks(count: int) -> list[Desk]:
    return [Desk(f"reviewer {number}") for number in range(count)]


def judge_until_nothing_is_left(desk: Desk, decide: Callable[[str], dict[str, Any]]) -> list[int]:
    """By the page's own calls; the statuses of the verdicts that were refused."""
    refused = []
    while item := desk.next()["item"]:
        answer = desk.judge(item["id"], **decide(item["id"]))
        if answer.status_code != 200:
            refused.append(answer.status_code)
    return refused


def accept(item: str) -> dict[str, Any]:
    return {"decision": "accept"}


def test_fifty_reviewers_at_once_give_each_item_as_many_verdicts_as_were_asked_for():
    fragment = factories.make_fragment()
    factories.make_analysis(fragment.recording)
    items = [hum_to_check(fragment=fragment) for _ in range(7)] + [cover_to_check() for _ in range(18)]
    people, refused = desks(REVIEWERS), []
    together(REVIEWERS, lambda number: refused.extend(judge_until_nothing_is_left(people[number], accept)))
    for person in people:  # who found every item on somebody's desk looks again
        refused.extend(judge_until_nothing_is_left(person, accept))
    assert refused == []
    verdicts = Counter(Verdict.objects.values_list("item", flat=True))
    assert verdicts == {item.pk: 2 for item in items}
    assert set(ReviewItem.objects.values_list("state", flat=True)) == {ReviewItem.State.SETTLED}
    assert set(Humming.objects.values_list("state", flat=True)) == {Humming.State.ACCEPTED}
    assert set(CoverFragment.objects.values_list("state", flat=True)) == {CoverFragment.State.ACCEPTED}


def test_split_verdicts_of_many_ask_for_a_third_and_no_more():
    items = [cover_to_check() for _ in range(6)]
    people = desks(24)

    def decide(item: str) -> dict[str, Any]:
        """The first who is asked accepts, the second rejects, the third accepts."""
        said = Verdict.objects.counted().filter(item=item).count()
        return {"decision": "accept"} if said != 1 else {"decision": "reject", "reason": "medley"}

    together(24, lambda number: judge_until_nothing_is_left(people[number], decide))
    # Who found every item on somebody's desk looks again.
    for person in people:
        judge_until_nothing_is_left(person, decide)
    assert Counter(Verdict.objects.values_list("item", flat=True)) == {item.pk: 3 for item in items}


def test_one_person_in_many_tabs_holds_two_items_and_votes_once():
    for _ in range(6):
        cover_to_check()
    (rita,) = desks(1)

    def on_desk() -> list[ReviewItem]:
        return list(ReviewItem.objects.held_by(rita.person))

    for _ in range(3):
        together(6, lambda number: rita.next(*[item.pk for item in on_desk()][:HELD_AT_ONCE]))
    held = on_desk()
    assert len(held) == HELD_AT_ONCE
    answers = []
    together(8, lambda number: answers.append(rita.judge(held[0]).status_code))
    assert Counter(answers) == {200: 1, 409: 7}
    assert Verdict.objects.count() == 1


def test_verdicts_withdrawals_and_overruling_at_one_moment_end_in_one_of_the_states():
    """Nothing waits in a circle, and what is withdrawn stays so."""
    items = [hum_to_check() for _ in range(4)]
    people = desks(8)
    admin = factories.make_person("ada", is_staff=True)

    def act(number: int) -> None:
        item = items[number % 4]
        if number < 8:
            judge_until_nothing_is_left(people[number], lambda one: {"decision": "reject", "reason": "noise"})
        elif number < 12:
            taking.withdraw(item.humming, item.humming.singer)
        else:
            with suppress(NotAllowed):  # it was withdrawn a moment before
                ReviewItem.objects.get(pk=item.pk).overrule(admin, "accept", "It is good.")

    together(16, act)
    assert set(Humming.objects.values_list("state", flat=True)) == {Humming.State.WITHDRAWN}
    assert set(ReviewItem.objects.values_list("state", flat=True)) == {ReviewItem.State.CLOSED}
    twice = Verdict.objects.standing().values("item", "person").annotate(n=Count("pk")).filter(n__gt=1)
    assert not twice.exists()


def test_asking_anew_while_others_judge():
    """Verdicts are put back while new ones come: at the end each item is settled by people who count."""
    items = [cover_to_check() for _ in range(10)]
    spammer, *others = desks(11)
    judge_until_nothing_is_left(spammer, accept)
    reviewer = Reviewer.of(spammer.person)
    first, last = Verdict.objects.earliest("at").at, Verdict.objects.latest("at").at
    Reviewer.objects.filter(pk=reviewer.pk).update(
        state=Reviewer.State.SET_ASIDE, put_back_from=first, put_back_until=last
    )
    reviewer.refresh_from_db()

    def act(number: int) -> None:
        if number == 0:
            reviewer.put_back_recent()
        else:
            judge_until_nothing_is_left(others[number - 1], accept)

    together(11, act)
    for person in others:
        judge_until_nothing_is_left(person, accept)
    assert len(items) == ReviewItem.objects.count()
    for item in ReviewItem.objects.all():
        assert item.state == item.State.SETTLED
        assert item.verdicts.counted().exclude(person=spammer.person).count() >= 2


def test_a_claim_takes_the_same_few_queries_however_long_the_queue_is(django_assert_max_num_queries):
    (rita,) = desks(1)
    Reviewer.of(rita.person)
    for _ in range(3):
        cover_to_check()
    with django_assert_max_num_queries(14):
        assert claim(rita.person)
