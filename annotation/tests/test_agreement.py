"""The figures of the double-check, against the same reckoned plainly on a small cast."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations
from statistics import mean, median

import pytest
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from annotation.double_check import agreement
from annotation.models import Control, ReviewItem, Verdict
from annotation.models.reviewers import PUT_BACK, Reviewer
from recordings.models import CoverFragment, Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def people():
    return [factories.make_person(name) for name in ("ann", "bo", "cleo", "dmitri")]


@pytest.fixture
def covers():
    """Makes items without sound of their own: as many cover fragments as are asked for, in one recording."""
    fragment = factories.make_fragment()
    recording = factories.make_recording(fragment.song, "cover", hz=330.0)
    made = []

    def make(many: int) -> list[ReviewItem]:
        for _ in range(many):
            place = {"start_s": 0.01 * len(made), "end_s": 5 + 0.01 * len(made)}
            cover = factories.make_cover_fragment(fragment, recording, CoverFragment.State.DOUBTFUL, **place)
            made.append(ReviewItem.objects.create(cover_fragment=cover))
        return made[-many:]

    return make


def say(item: ReviewItem, person, decision: str, reason: str = "", **fields) -> Verdict:
    """A verdict as a row, without what follows from one."""
    facts = {"proposed_offset_s": 0.0, "took_s": 5.0, "at": MONDAY, **fields}
    return Verdict.objects.create(item=item, person=person, decision=decision, reason=reason, **facts)


def settle(item: ReviewItem, accepts: bool) -> None:
    ReviewItem.objects.filter(pk=item.pk).update(state=ReviewItem.State.SETTLED, settled_at=timezone.now())
    state = CoverFragment.State.ACCEPTED if accepts else CoverFragment.State.REJECTED
    CoverFragment.objects.filter(pk=item.cover_fragment_id).update(state=state)


def plain_alpha(units: list[list[float]], difference) -> float:
    """Krippendorff's definition, pair by pair."""
    units = [unit for unit in units if len(unit) > 1]
    values = [value for unit in units for value in unit]
    pairs = [2 * sum(difference(a, b) for a, b in combinations(unit, 2)) / (len(unit) - 1) for unit in units]
    observed = sum(pairs) / len(values)
    expected = 2 * sum(difference(a, b) for a, b in combinations(values, 2)) / (len(values) * (len(values) - 1))
    return 1 - observed / expected


def nominal(a: float, b: float) -> float:
    return float(a != b)


def interval(a: float, b: float) -> float:
    return (a - b) ** 2


CAST = ["aab", "bb", "aa", "abab", "a", "aab"]


@pytest.fixture
def judged(people, covers):
    """Items judged as CAST says: a accepts, b rejects, the first letter by ann, the second by bo, and so on."""
    items = covers(len(CAST))
    for number, (item, letters) in enumerate(zip(items, CAST, strict=True)):
        for place, letter in enumerate(letters):
            if letter == "a":
                say(item, people[place], "accept", nudge_s=0.01 * (number + place**2), took_s=place + 1)
            else:
                say(item, people[place], "reject", ("different_song", "medley")[place % 2], took_s=place + 1)
    return items


def test_an_empty_instance_has_no_figures_and_no_errors():
    found = agreement.figures()
    assert found["agreement"]["verdicts"] == {
        "alpha": None, "low": None, "high": None, "agreement": None, "units": 0, "values": 0
    }  # fmt: skip
    assert found["per_week"] == found["per_reason"] == found["per_reviewer"] == found["suspicious"] == []
    assert found["queue"]["waiting"] == 0
    assert found["queue"]["oldest"] is None
    assert found["queue"]["verdicts_per_item"] is None
    assert [one["right"] for one in found["controls"]] == [None] * 5
    assert found["consensus"]["list"] == []


def test_alpha_is_krippendorffs_for_verdicts_and_for_offsets(judged):
    found = agreement.figures()["agreement"]
    units = [[float(letter == "a") for letter in letters] for letters in CAST]
    assert found["verdicts"]["alpha"] == pytest.approx(plain_alpha(units, nominal))
    assert (found["verdicts"]["units"], found["verdicts"]["values"]) == (5, 14)
    offsets = [
        [0.01 * (number + place**2) for place, letter in enumerate(letters) if letter == "a"]
        for number, letters in enumerate(CAST)
    ]
    assert found["offsets"]["alpha"] == pytest.approx(plain_alpha(offsets, interval))
    assert (found["offsets"]["units"], found["offsets"]["values"]) == (4, 8)


def test_an_offset_is_the_machines_proposal_with_the_reviewers_own_correction(people, covers):
    first, second = covers(2)
    say(first, people[0], "accept", proposed_offset_s=0.2, nudge_s=0.1)
    say(first, people[1], "accept", proposed_offset_s=0.3, nudge_s=0.0)
    say(first, people[2], "accept", proposed_offset_s=None)
    for person in people[:2]:
        say(second, person, "accept", proposed_offset_s=0.5)
    offsets = agreement.figures()["agreement"]["offsets"]
    assert (offsets["alpha"], offsets["values"]) == (pytest.approx(1.0), 4)


def test_the_interval_is_the_jackknifes(people, covers):
    letters = ["aa", "bb", "ab", "aa", "bb", "aa", "aa", "ba", "bb", "aa", "aab", "aa"]
    for item, those in zip(covers(len(letters)), letters, strict=True):
        for person, letter in zip(people, those, strict=False):
            say(item, person, "accept" if letter == "a" else "reject", "" if letter == "a" else "medley")
    found = agreement.figures()["agreement"]["verdicts"]
    units = [[float(letter == "a") for letter in those] for those in letters]
    without = [plain_alpha([*units[:k], *units[k + 1 :]], nominal) for k in range(len(units))]
    many = len(units)
    error = ((many - 1) / many * sum((one - mean(without)) ** 2 for one in without)) ** 0.5
    assert found["low"] == pytest.approx(found["alpha"] - 1.96 * error)
    assert found["high"] == pytest.approx(min(1.0, found["alpha"] + 1.96 * error))


def test_few_items_promise_no_interval(judged):
    found = agreement.figures()["agreement"]["verdicts"]
    assert found["alpha"] is not None
    assert found["low"] is found["high"] is None


def test_what_does_not_count_is_left_out(judged, people):
    before = agreement.figures()
    item = judged[2]
    say(item, people[2], "reject", "medley", undone_at=timezone.now())
    say(item, people[3], "reject", "medley", counts=False, why_not=PUT_BACK)
    control = make_control(item)
    say(control, people[0], "reject", "medley")
    after = agreement.figures()
    for name in ("agreement", "per_week", "per_reason"):
        assert after[name] == before[name]
    assert after["verdicts"] == before["verdicts"] | {
        "not_counted": 1, "put_back": 1, "taken_back": 1, "on_controls": 1
    }  # fmt: skip


def make_control(item: ReviewItem, fault: str = Control.Fault.SHIFTED, **fields) -> ReviewItem:
    cover = item.cover_fragment
    facts = {"curve": {"hop_s": 0.02, "pitch": []}, "duration_s": 5.0, "offset_s": 0.0, "tempo_ratio": 1.0}
    control = Control.objects.create(cover_fragment=cover, fragment=cover.fragment, fault=fault, **{**facts, **fields})
    return ReviewItem.objects.create(control=control, state=ReviewItem.State.CONTROL)


def test_weeks_begin_on_monday_and_an_item_belongs_to_that_of_its_latest_verdict(people, covers):
    before, within, across = covers(3)
    a_second = timedelta(seconds=1)
    for person, at in zip(people, (MONDAY - 2 * a_second, MONDAY - a_second), strict=False):
        say(before, person, "accept", at=at)
    for person, decision in zip(people, ("accept", "reject"), strict=False):
        say(within, person, decision, "" if decision == "accept" else "medley", at=MONDAY)
    say(across, people[0], "accept", at=MONDAY - a_second)
    say(across, people[1], "accept", at=MONDAY + timedelta(days=7) - a_second)
    weeks = agreement.figures()["per_week"]
    assert [(one["week"], one["verdicts"], one["units"], one["agreement"]) for one in weeks] == [
        ("2026-11-09", 3, 1, 1.0),
        ("2026-11-16", 3, 2, 0.5),
    ]
    assert weeks[0]["alpha"] is None  # all alike: nothing to agree on
    assert weeks[1]["alpha"] == pytest.approx(plain_alpha([[1, 0], [1, 1]], nominal))


def test_agreement_by_reason(people, covers):
    first, second, alone = covers(3)
    say(first, people[0], "reject", "medley")
    say(first, people[1], "reject", "medley")
    say(first, people[2], "accept")
    say(second, people[0], "reject", "medley")
    say(second, people[1], "reject", "instrumental")
    say(alone, people[0], "reject", "other", words="Birds.")
    found = {one["reason"]: one for one in agreement.figures()["per_reason"]}
    # Three rejections for it; beside them five verdicts of others: three reject, two of these for the same reason.
    medley = found["medley"]
    assert (medley["rejections"], medley["others"]) == (3, 5)
    assert medley["rejected_too"] == pytest.approx(3 / 5)
    assert medley["same_reason"] == pytest.approx(2 / 5)
    assert (found["instrumental"]["rejected_too"], found["instrumental"]["same_reason"]) == (1.0, 0.0)
    assert (found["other"]["others"], found["other"]["same_reason"]) == (0, None)


def test_each_reviewer_beside_the_others_and_beside_what_was_settled(judged, people):
    settle(judged[0], accepts=True)
    settle(judged[1], accepts=False)
    ann = {one["name"]: one for one in agreement.figures()["per_reviewer"]}["ann"]
    # aab: the others tie; bb agrees; aa agrees; abab: the others say b, a, b; a: nobody else; aab: a tie.
    assert (ann["compared"], ann["with_others"]) == (3, pytest.approx(2 / 3))
    assert (ann["settled"], ann["with_settled"]) == (2, 1.0)
    assert (ann["verdicts"], ann["took_s"]) == (6, 1.0)
    cleo = {one["name"]: one for one in agreement.figures()["per_reviewer"]}["cleo"]
    assert (cleo["settled"], cleo["with_settled"]) == (1, 0.0)


def test_a_reviewers_median_time_leaves_out_what_is_not_known(people, covers):
    times = [3.0, None, 8.0, 4.0, 100.0]
    for item, took_s in zip(covers(len(times)), times, strict=True):
        say(item, people[0], "accept", took_s=took_s)
    found = agreement.figures()["per_reviewer"][0]
    assert found["took_s"] == median([3.0, 8.0, 4.0, 100.0])


def test_a_reviewers_standing_reliability_and_control_items(judged, people):
    now = timezone.now()
    facts = {"state": Reviewer.State.SET_ASIDE, "accepts_good": 0.9, "rejects_bad": 0.3, "measured_at": now}
    reviewer = Reviewer.objects.create(person=people[0], **facts)
    shifted, as_is = make_control(judged[0]), make_control(judged[1], Control.Fault.AS_IS, retired_at=now)
    say(shifted, people[0], "accept")
    say(as_is, people[0], "accept", counts=False)
    say(shifted, people[1], "reject", "medley")
    found = agreement.figures()
    ann = next(one for one in found["per_reviewer"] if one["name"] == "ann")
    assert (ann["standing"], ann["reviewer"], ann["since"]) == ("set_aside", reviewer.pk, reviewer.changed_at)
    assert (ann["accepts_good"], ann["rejects_bad"]) == (0.9, 0.3)
    assert (ann["controls_right"], ann["controls_wrong"]) == (1, 1)
    faults = {one["fault"]: (one["live"], one["retired"], one["answers"], one["right"]) for one in found["controls"]}
    assert faults["shifted"] == (1, 0, 2, 0.5)
    assert faults["as_is"] == (0, 1, 1, 1.0)


def test_weights_beside_the_plain_majority(people, covers):
    sure, outweighed, doubted = covers(3)
    now = timezone.now()
    for person, worth in zip(people, (0.95, 0.55, 0.55, 0.8), strict=True):
        Reviewer.objects.create(person=person, accepts_good=worth, rejects_bad=worth, measured_at=now)
    for person in people[:2]:
        say(sure, person, "accept")
    say(outweighed, people[0], "reject", "medley")
    say(outweighed, people[1], "accept")
    say(outweighed, people[2], "accept")
    say(doubted, people[1], "accept")
    say(doubted, people[2], "accept")
    settle(doubted, accepts=True)
    found = agreement.figures()["consensus"]
    odds = (0.05 / 0.95) * (0.55 / 0.45) ** 2
    listed = {one["item"]: one for one in found["list"]}
    assert set(listed) == {str(outweighed.pk), str(doubted.pk)}
    assert listed[str(outweighed.pk)]["probability"] == pytest.approx(odds / (1 + odds), abs=1e-3)
    assert listed[str(outweighed.pk)]["why"] == "leans_apart"
    assert listed[str(doubted.pk)]["why"] == "asks_on"
    assert (found["majority_settles"], found["weights_settle"]) == (3, 1)
    assert (found["settled"], found["settled_apart"]) == (1, 1)
    assert listed[str(doubted.pk)]["song"] == doubted.cover_fragment.fragment.song.title
    # The same as the item itself reckons.
    assert sure.weigh().accepts is True
    assert doubted.weigh().accepts is None


def test_the_queue(people, covers):
    fresh, one_more, split, disputed, settled = covers(5)
    say(split, people[0], "accept")
    say(split, people[1], "reject", "medley")
    for item, missing in ((fresh, 2), (one_more, 1), (split, 1)):
        ReviewItem.objects.filter(pk=item.pk).update(missing=missing)
    ReviewItem.objects.filter(pk=disputed.pk).update(state=ReviewItem.State.DISPUTED)
    for person in people[:3]:
        say(settled, person, "accept")
    settle(settled, accepts=True)
    fresh.lease(people[0])
    queue = agreement.figures()["queue"]
    assert (queue["waiting"], queue["one_from_settled"], queue["split"]) == (3, 2, 1)
    assert (queue["disputed"], queue["settled"], queue["on_desks"]) == (1, 1, 1)
    assert queue["oldest"] == fresh.created_at
    assert queue["verdicts_per_item"] == 2.5
    assert queue["verdicts_per_settled_item"] == 3.0


def test_simulated_people_and_their_takes_are_left_out_where_that_is_asked_for(judged, people):
    people[1].groups.add(Group.objects.create(name="simulated"))
    take = factories.make_humming(state=Humming.State.CHECKED, simulated=True)
    for person in (people[0], people[2]):
        say(ReviewItem.objects.get_or_create(humming=take)[0], person, "accept")
    everybody, without = agreement.figures(), agreement.figures(with_simulated=False)
    assert everybody["verdicts"]["counted"] == 17
    assert everybody["simulated_people"] == 1
    assert without["verdicts"]["counted"] == 10
    assert "bo" not in [one["name"] for one in without["per_reviewer"]]
    assert (everybody["queue"]["waiting"], without["queue"]["waiting"]) == (7, 6)


def test_the_api_gives_the_same_figures_and_keeps_them_for_a_minute(judged, people):
    admin = Client()
    admin.force_login(factories.make_person("admin", is_staff=True))
    first = admin.get("/api/manage/agreement").json()
    assert first["agreement"]["verdicts"]["alpha"] == agreement.figures()["agreement"]["verdicts"]["alpha"]
    say(judged[4], people[3], "reject", "medley")
    assert admin.get("/api/manage/agreement").json() == first
    assert admin.get("/api/manage/agreement?simulated=0").json()["verdicts"]["counted"] == 16


def test_the_figures_take_as_many_queries_however_many_verdicts_there_are(
    judged, people, covers, django_assert_max_num_queries
):
    for item in covers(10):
        for person in people:
            say(item, person, "accept")
    with django_assert_max_num_queries(20):
        agreement.figures()
