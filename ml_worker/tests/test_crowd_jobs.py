"""What machines do for the crowd: measuring reviewers, asking anew, and knowing when either is due."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.double_check import control_items
from annotation.double_check.measuring import measure_reviewers
from annotation.models import Control, Reviewer, ReviewItem, Verdict
from ml_worker import jobs_in_words, pending
from ml_worker.models import Job
from ml_worker.running import run_here
from recordings.models import Humming
from recordings.tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path) -> None:
    factories.use_storage(settings, tmp_path / "storage")


@pytest.fixture
def fragment():
    found = factories.make_fragment()
    factories.make_analysis(found.recording)
    return found


def hum_to_judge(fragment) -> ReviewItem:
    return ReviewItem.ask_about(factories.make_humming(fragment, state=Humming.State.CHECKED))


def control(fragment, fault: str = "as_is") -> ReviewItem:
    hum = factories.make_humming(fragment)
    made = Control.objects.create(
        humming=hum, fragment=fragment, fault=fault, curve={"hop_s": 0.02, "pitch": []}, duration_s=5.0, offset_s=0.2,
        tempo_ratio=1.0,
    )  # fmt: skip
    return ReviewItem.objects.create(control=made, state=ReviewItem.State.CONTROL)


def reviewers(*names: str) -> list:
    return [factories.make_person(name) for name in names]


def open_jobs(kind: str) -> int:
    return Job.objects.open().filter(kind=kind).count()


# --- measuring


def test_who_accepts_everything_is_told_from_who_listens(fragment):
    ann, bo, yes = reviewers("ann", "bo", "yes")
    for fault in ["as_is", "shifted"] * 6:
        item = control(fragment, fault)
        for person in (ann, bo):
            item.judge(person, item.control.expected, reason="" if fault == "as_is" else "off_time")
        item.judge(yes, "accept")
    job = run_here(Job.Kind.CROWD)
    worth = {one.person.username: one for one in Reviewer.objects.all()}
    assert worth["ann"].accepts_good > 0.9
    assert worth["ann"].rejects_bad > 0.9
    assert worth["yes"].accepts_good > 0.9
    assert worth["yes"].rejects_bad < 0.4
    assert worth["yes"].measured_verdicts == 12
    assert all(one.measured_at for one in worth.values())
    assert job.message.startswith("Reviewers measured: 3, by 36 verdicts, of which 36 on control items, in ")
    assert job.result["on_controls"] == 36


def test_what_does_not_count_or_was_taken_back_measures_nobody(fragment):
    (ann,) = reviewers("ann")
    item = hum_to_judge(fragment)
    first = item.judge(ann, "accept")
    first.undo(ann)
    item.judge(ann, "accept").discount("Doubted.")
    assert measure_reviewers().verdicts == 0
    assert run_here(Job.Kind.CROWD).message == "There are no verdicts yet to measure reviewers by."


def test_nothing_is_learnt_from_a_good_pair_that_was_found_to_be_bad(fragment):
    (ann,) = reviewers("ann")
    good, shifted = control(fragment, "as_is"), control(fragment, "shifted")
    good.judge(ann, "reject", reason="off_time")
    shifted.judge(ann, "reject", reason="off_time")
    for item in (good, shifted):
        item.control.retire()
    found = measure_reviewers()
    assert (found.verdicts, found.on_controls) == (1, 1), "what was shifted was shifted"


def test_a_shifted_one_that_is_moved_back_and_accepted_measures_as_rejected(fragment):
    ann, bo = reviewers("ann", "bo")
    for _ in range(8):
        item = control(fragment, "shifted")
        Control.objects.update(facts={"shift_ms": -500})
        item.judge(ann, "accept", nudge_s=0.45)
        item.judge(bo, "accept")
    measure_reviewers()
    worth = {one.person.username: one.rejects_bad for one in Reviewer.objects.all()}
    assert worth["ann"] > 0.8
    assert worth["bo"] < 0.4


def test_a_reviewer_without_a_row_gets_one(fragment):
    (ann,) = reviewers("ann")
    Verdict.objects.create(item=hum_to_judge(fragment), person=ann, decision="accept")
    assert not Reviewer.objects.exists()
    measure_reviewers()
    assert Reviewer.objects.get().measured_verdicts == 1


def test_measuring_twice_gives_the_same_and_reads_no_row_by_itself(fragment):
    people = reviewers("ann", "bo", "cy")
    for _ in range(4):
        item = hum_to_judge(fragment)
        for person in people:
            Verdict.objects.create(item=item, person=person, decision="accept")
    measure_reviewers()
    once = list(Reviewer.objects.order_by("pk").values_list("accepts_good", "rejects_bad"))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        measure_reviewers()
    assert list(Reviewer.objects.order_by("pk").values_list("accepts_good", "rejects_bad")) == once
    assert len(asked) <= 6


def test_the_command_measures_too(fragment, capsys):
    (ann,) = reviewers("ann")
    hum_to_judge(fragment).judge(ann, "accept")
    call_command("measure_reviewers", json=True)
    answer = json.loads(capsys.readouterr().out)
    assert (answer["reviewers"], answer["verdicts"]) == (1, 1)


# --- asking anew


@pytest.fixture
def set_aside(fragment):
    """A reviewer who was set aside after judging three items, each settled by two."""
    bad, good = reviewers("bad", "good")
    items = [hum_to_judge(fragment) for _ in range(3)]
    for item in items:
        item.judge(bad, "accept")
        item.judge(good, "accept")
    now = timezone.now()
    Reviewer.objects.filter(person=bad).update(
        state=Reviewer.State.SET_ASIDE, put_back_from=now - timedelta(hours=1), put_back_until=now
    )
    return Reviewer.objects.get(person=bad)


def test_what_a_reviewer_who_was_set_aside_settled_is_asked_anew(set_aside):
    assert {hum.state for hum in Humming.objects.all()} == {Humming.State.ACCEPTED}
    job = run_here(Job.Kind.REASK, set_aside.pk)
    assert job.message == "Asked anew: 3 items, which bad judged while control items went wrong."
    assert {hum.state for hum in Humming.objects.all()} == {Humming.State.CHECKED}
    assert ReviewItem.objects.waiting().count() == 3
    again = run_here(Job.Kind.REASK, set_aside.pk)
    assert again.message == "None of the verdicts of bad has to be asked anew."


def test_killed_in_the_middle_the_next_run_does_the_rest(set_aside, monkeypatch):
    discount, calls = Verdict.discount, []

    def killed_at_the_second(verdict, why):
        calls.append(verdict)
        if len(calls) == 2:
            raise KeyboardInterrupt
        discount(verdict, why)

    monkeypatch.setattr(Verdict, "discount", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_here(Job.Kind.REASK, set_aside.pk)
    monkeypatch.setattr(Verdict, "discount", discount)
    assert ReviewItem.objects.waiting().count() == 1
    job = Job.objects.get()
    assert job.state == Job.State.RUNNING, "its worker is lost"
    Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    job.put_back()
    job = run_here(Job.Kind.REASK, set_aside.pk)
    assert job.result == {"verdicts": 2}
    assert ReviewItem.objects.waiting().count() == 3
    assert Verdict.objects.filter(counts=False).count() == 3


def test_a_reviewer_who_is_gone_fails_no_job():
    assert run_here(Job.Kind.REASK, "123e4567-e89b-42d3-a456-426614174000").state == Job.State.DONE


# --- what is due


def test_asking_anew_is_due_once_and_somebody_s_labels_are_above_what_nobody_waits_for(set_aside):
    pending.make_jobs()
    pending.make_jobs()
    job = Job.objects.get(kind=Job.Kind.REASK)
    assert job.subject == str(set_aside.pk)
    assert job.priority > Job.UNHURRIED
    run_here(Job.Kind.REASK, set_aside.pk)
    pending.make_jobs()
    assert open_jobs(Job.Kind.REASK) == 0


def test_measuring_is_due_when_verdicts_came_and_ten_minutes_are_over(fragment):
    (ann,) = reviewers("ann")
    pending.make_jobs()
    assert open_jobs(Job.Kind.CROWD) == 0, "there are no verdicts"
    hum_to_judge(fragment).judge(ann, "accept")
    pending.make_jobs()
    pending.make_jobs()
    assert Job.objects.get(kind=Job.Kind.CROWD).priority == pending.SOON
    run_here(Job.Kind.CROWD)

    hum_to_judge(fragment).judge(ann, "accept")
    pending.make_jobs()
    assert open_jobs(Job.Kind.CROWD) == 0, "it was measured a moment ago"
    run_here(Job.Kind.CROWD)
    hours_pass()
    pending.make_jobs()
    assert open_jobs(Job.Kind.CROWD) == 0, "no verdict came since"
    hum_to_judge(fragment).judge(ann, "accept")
    pending.make_jobs()
    assert open_jobs(Job.Kind.CROWD) == 1


def test_a_measuring_that_fails_is_not_tried_every_five_seconds(fragment):
    (ann,) = reviewers("ann")
    hum_to_judge(fragment).judge(ann, "accept")
    Job.ask(Job.Kind.CROWD).fail("It broke.")
    pending.make_jobs()
    assert open_jobs(Job.Kind.CROWD) == 0
    hours_pass()
    pending.make_jobs()
    assert open_jobs(Job.Kind.CROWD) == 1


def hours_pass() -> None:
    """Everything that happened is two hours older."""
    ago = timedelta(hours=2)
    for rows, names in (
        (Job, ["created_at"]),
        (Reviewer, ["measured_at"]),
        (Verdict, ["at"]),
        (ReviewItem, ["settled_at"]),
        (Control, ["retired_at"]),
    ):
        for row in rows.objects.all():
            moved = {name: getattr(row, name) - ago for name in names if getattr(row, name)}
            if moved:
                rows.objects.filter(pk=row.pk).update(**moved)


def test_control_items_are_due_when_pairs_were_accepted_but_not_time_and_again(fragment, monkeypatch):
    people = reviewers("ann", "bo")
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 0, "nothing is accepted"

    def accept_one() -> None:
        item = hum_to_judge(fragment)
        for person in people:
            item.judge(person, "accept")

    accept_one()
    pending.make_jobs()
    pending.make_jobs()
    assert Job.objects.get(kind=Job.Kind.CONTROLS).priority == pending.SOON
    run_here(Job.Kind.CONTROLS)
    accept_one()
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 0, "they were made a moment ago"
    hours_pass()
    Job.objects.filter(kind=Job.Kind.CONTROLS).update(created_at=timezone.now() - timedelta(hours=1))
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 0, "nothing was accepted since"
    accept_one()
    monkeypatch.setattr(pending, "wanted", lambda: 0)
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 0, "there are enough"
    monkeypatch.undo()
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 1


def test_a_control_item_whose_pair_is_rejected_is_retired_soon(fragment, monkeypatch):
    monkeypatch.setattr(pending, "wanted", lambda: 1)
    item = control(fragment)
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 0
    item.control.humming.move_to(Humming.State.REJECTED, why="Overruled.")
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 1
    run_here(Job.Kind.CONTROLS)
    assert not Control.objects.live().exists()


def test_looking_for_what_is_due_costs_few_questions(fragment, set_aside):
    run_here(Job.Kind.REASK, set_aside.pk)
    for kind in (Job.Kind.CONTROLS, Job.Kind.CROWD, Job.Kind.INDEX):
        run_here(kind)
    hours_pass()
    before = [*Job.objects.values_list("pk", flat=True)]
    with CaptureQueriesContext(connection) as asked:
        pending.make_jobs()
    assert [*Job.objects.values_list("pk", flat=True)] == before
    crowd = [query["sql"] for query in asked if "annotation_" in query["sql"]]
    assert len(asked) <= 24
    assert len(crowd) <= 6


def test_more_control_items_are_due_when_somebody_has_met_nearly_all(fragment, monkeypatch):
    for rows in ("WANTED", 1), ("LEFT_TO_EACH", 2):
        monkeypatch.setattr(control_items, *rows)
    made_settled(fragment, "bo", "cy")
    items = [control(fragment), control(fragment, "shifted")]
    (ann,) = reviewers("ann")
    Reviewer.of(ann)
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 0, "two are left to everybody"
    items[0].judge(ann, "accept")
    pending.make_jobs()
    job = Job.objects.get(kind=Job.Kind.CONTROLS)
    ended(job, {"nothing_left": False})
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 1, "there may be more to make them of"
    ended(Job.objects.open().get(kind=Job.Kind.CONTROLS), {"nothing_left": True})
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 0, "there is nothing to make them of"
    made_settled(fragment, "di", "ed")
    pending.make_jobs()
    assert open_jobs(Job.Kind.CONTROLS) == 1, "now there is"


def made_settled(fragment, *names: str) -> None:
    """A pair that these accepted who do not judge any more."""
    people = reviewers(*names)
    item = hum_to_judge(fragment)
    for person in people:
        item.judge(person, "accept")
    Reviewer.objects.filter(person__in=people).update(state=Reviewer.State.TRUSTED)
    Verdict.objects.filter(person__in=people).update(at=timezone.now() - timedelta(days=60))


def ended(job: Job, result: dict) -> None:
    """The job is done, half an hour ago; what it went by was there before."""
    ago = timezone.now() - timedelta(minutes=30)
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE, result=result, created_at=ago)
    ReviewItem.objects.exclude(settled_at=None).update(settled_at=ago - timedelta(minutes=1))


def test_hundreds_of_analyses_are_no_queue_for_the_crowd(fragment):
    (ann,) = reviewers("ann")
    for number in range(250):
        Job.ask(Job.Kind.ANALYSE, number, priority=Job.UNHURRIED)
    hum_to_judge(fragment).judge(ann, "accept")
    pending.make_jobs()
    assert Job.claim("worker", Job.objects.all()).kind == Job.Kind.CROWD


# --- in words


def test_the_jobs_say_what_they_are_about(set_aside):
    names = {
        kind: jobs_in_words.describe(Job.ask(kind, subject))["about"]
        for kind, subject in ((Job.Kind.REASK, set_aside.pk), (Job.Kind.CROWD, ""), (Job.Kind.CONTROLS, ""))
    }
    assert names == {Job.Kind.REASK: "bad", Job.Kind.CROWD: "the double-check", Job.Kind.CONTROLS: "the double-check"}
