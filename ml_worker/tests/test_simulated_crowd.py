"""Simulated reviewers: two and, for a split, a third; spammers among them; all of it marked as simulated."""

from __future__ import annotations

import uuid
from collections import Counter

import pytest

from annotation.models import Control, Reviewer, ReviewItem, Verdict
from ml_worker.models import Job
from ml_worker.work import simulate
from ml_worker.work.simulate import Crowd, Habit
from recordings.models import Fragment, Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


@pytest.fixture
def fragment() -> Fragment:
    found = factories.make_fragment()
    factories.make_analysis(found.recording)
    return found


def simulated_hums(fragment: Fragment, faults: list[str]) -> list[Humming]:
    """Takes that wait; "" for a good one."""
    hums = [
        factories.make_humming(
            fragment,
            state=Humming.State.CHECKED,
            simulated=True,
            capture={"simulated": {"faults": [fault] if fault else []}},
        )
        for fault in faults
    ]
    for hum in hums:
        ReviewItem.ask_about(hum)
    return hums


def controls(fragment: Fragment, faults: list[str]) -> None:
    """Control items, met in this order."""
    for number, fault in enumerate(faults):
        hum = factories.make_humming(fragment, simulated=True)
        control = Control.objects.create(
            humming=hum, fragment=fragment, fault=fault, curve={"hop_s": 0.02, "pitch": []}, duration_s=5.0,
            offset_s=0.2, tempo_ratio=1.0,
        )  # fmt: skip
        ReviewItem.objects.create(id=uuid.UUID(int=number), control=control, state=ReviewItem.State.CONTROL)


@pytest.fixture
def unerring(monkeypatch) -> None:
    monkeypatch.setattr(simulate, "REVIEWER_ERRORS", 0.0)


def test_two_who_agree_settle_each_item_and_nobody_judges_one_twice(fragment, unerring):
    hums = simulated_hums(fragment, ["", "noise", "another tune", ""])
    Crowd.of(3).judge_all()
    assert Verdict.objects.filter(item__control=None).count() == 8
    states = dict(Humming.objects.filter(pk__in=[hum.pk for hum in hums]).values_list("pk", "state"))
    assert [states[hum.pk] for hum in hums] == ["accepted", "rejected", "rejected", "accepted"]
    assert set(Verdict.objects.filter(item__control=None).values_list("reason", flat=True)) == {
        "",
        "noise",
        "wrong_tune",
    }
    pairs = list(Verdict.objects.values_list("item", "person"))
    assert len(set(pairs)) == len(pairs)
    assert {one.person.groups.get(name="simulated").name for one in Reviewer.objects.all()} == {"simulated"}


def test_a_split_gets_a_third_and_what_stays_open_another(fragment, monkeypatch):
    """Of three one errs always, so that each item that meets that one is split."""
    simulated_hums(fragment, [""] * 9)
    accepts = simulate.Reviewer.accepts
    monkeypatch.setattr(
        simulate.Reviewer, "accepts", lambda one, good: not good if one.seed == 1 else accepts(one, good)
    )
    monkeypatch.setattr(simulate, "REVIEWER_ERRORS", 0.0)
    Crowd.of(3).judge_all()
    assert not ReviewItem.objects.waiting().exists()
    asked = Counter(Verdict.objects.filter(item__control=None).values_list("item", flat=True))
    assert set(asked.values()) <= {2, 3}
    assert max(asked.values()) == 3

    # By what was measured the three together settle no split any more.
    Reviewer.objects.update(accepts_good=0.6, rejects_bad=0.6)
    simulated_hums(fragment, [""] * 6)
    crowd = Crowd.of(3)
    crowd.judge_all()
    assert len(crowd.reviewers) > 3
    assert not ReviewItem.objects.waiting().exists()


def test_real_hums_are_for_real_people(fragment):
    real = factories.make_humming(fragment, state=Humming.State.CHECKED)
    ReviewItem.ask_about(real)
    assert Crowd.of(3).judge_all() == 0
    assert not Job.objects.filter(kind=Job.Kind.CROWD).exists()


def test_spammers_are_found_out_and_what_they_judged_is_asked_anew(fragment, unerring):
    controls(fragment, ["as_is", "shifted"] * 10)
    hums = simulated_hums(fragment, ["", "noise"] * 15)
    Crowd.of(3, spammers=2).judge_all()
    standings = dict(Reviewer.objects.values_list("person__username", "state"))
    assert {standings[f"simulated-reviewer-{n}"] for n in (1, 2, 3)} == {Reviewer.State.TRUSTED}
    assert standings["simulated-spammer-1"] == Reviewer.State.SET_ASIDE
    assert Verdict.objects.filter(counts=False).exclude(why_not="").exists()
    assert not ReviewItem.objects.waiting().exists()
    right = sum(
        (hum.state == "accepted") == (not hum.capture["simulated"]["faults"])
        for hum in Humming.objects.filter(pk__in=[hum.pk for hum in hums])
    )
    assert right >= 29
    worth = Reviewer.objects.get(person__username="simulated-spammer-1")
    assert worth.rejects_bad < 0.4
    assert worth.measured_verdicts > 0


def test_verdicts_look_like_people_s(fragment):
    careful = simulate.Reviewer("simulated-reviewer-1", 1)
    spammer = simulate.Reviewer("simulated-spammer-1", 1, Habit.SAYS_YES)
    took = [careful.manner() for _ in range(200)]
    assert all(1.0 < one["heard_s"] < one["took_s"] < 30.0 for one in took)
    assert all(spammer.manner()["took_s"] < 2.5 for _ in range(50))
    nudges = [careful.nudge() for _ in range(500)]
    assert 0.5 < nudges.count(0.0) / len(nudges) < 0.9
    assert all(abs(nudge) < 0.08 and round(nudge / 0.005, 6) % 1 == 0 for nudge in nudges)
