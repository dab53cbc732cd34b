"""Rounds as a state machine: what may follow what, one at a time, stopped, killed, taken up, begun by the schedule."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.models import ReviewItem
from chad_site.errors import NotAllowed
from ml_worker import pending, rounds, rounds_page
from ml_worker.management.commands import simulate
from ml_worker.models import Checkpoint, Job, Round, RoundFinding, RoundStep
from ml_worker.running import run, run_here
from ml_worker.tests import made_rounds, made_rows
from ml_worker.tests.manage import make_checkpoint
from ml_worker.work import CannotBeDone, round_steps
from recordings.models import CoverFragment, Humming, StateChange
from recordings.tests import factories

pytestmark = pytest.mark.django_db

NAMES = RoundStep.Name.values
JSON = "application/json"
REFUSED = {
    "decisions": {"short": {"promote": False, "words": "short-new: Refused: it fell.", "checkpoint": "short-new"}}
}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable]:
    """Steps that do nothing, each to be replaced by the test."""

    def does(name: str) -> Callable:
        return lambda turn: REFUSED if name == RoundStep.Name.DECIDE else {"done by": name}

    made = {name: does(name) for name in NAMES}
    monkeypatch.setattr("ml_worker.work.round.STEPS", made)
    return made


def states_of(round: Round) -> list[str]:
    return list(round.steps.values_list("state", flat=True))


def outcome_of(round: Round) -> list[Any]:
    """All that a round comes to, times and attempts aside."""
    round.refresh_from_db()
    return [round.state, round.decision, *round.steps.values_list("name", "state", "outputs")]


# --- what may follow what


@pytest.mark.parametrize("model", [Round, RoundStep])
def test_only_what_the_table_allows_follows_and_each_change_leaves_a_row(model):
    begun = Round.begin("Started by hand.")
    row = begun if model is Round else begun.step("train")
    for before in model.State:
        for after in model.State:
            model.objects.filter(pk=row.pk).update(state=before)
            row.history.delete()
            if after in model.NEXT[before]:
                row.move_to(after, why="It goes on.")
                assert list(row.history.values_list("before", "after", "why")) == [(before, after, "It goes on.")]
            else:
                with pytest.raises(NotAllowed, match=before):
                    row.move_to(after, why="It goes on.")
                assert not row.history.exists()


def test_a_round_goes_through_its_steps_in_order_and_says_what_was_decided(steps):
    seen = []
    for name in NAMES:
        steps[name] = lambda turn, did=steps[name]: (seen.append(turn.step.name), did(turn))[1]
    begun = rounds.start()
    job = made_rounds.taken(begun)
    assert seen == NAMES
    assert begun.state == Round.State.REFUSED
    assert begun.decision == "short-new: Refused: it fell."
    assert begun.decision in job.message
    assert states_of(begun) == [RoundStep.State.DONE] * len(NAMES)
    for step in begun.steps.all():
        assert step.inputs == {"job": str(job.pk)}
        assert step.started_at <= step.finished_at <= begun.finished_at
        assert step.attempts == 1


class Killed(BaseException):
    """What nobody catches."""


def kill(round: Round) -> None:
    raise Killed


def fail(round: Round) -> None:
    raise CannotBeDone("The disk is full. Make room.")


def break_down(round: Round) -> None:
    raise ZeroDivisionError


def be_stopped(round: Round) -> None:
    Round.objects.filter(pk=round.pk).update(stop_asked_at=timezone.now())


def wait_for_people(round: Round) -> None:
    raise round_steps.WaitsForPeople("3 of 3 findings wait.")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("happens", [kill, fail, break_down, be_stopped, wait_for_people])
def test_whatever_interrupts_a_step_the_outcome_is_the_same(steps, name, happens):
    smooth = rounds.start()
    made_rounds.taken(smooth)
    expected = outcome_of(smooth)

    does, troubled = steps[name], []

    def once(turn: round_steps.Turn) -> dict[str, Any]:
        turn.step.note(begun=True)
        if not troubled:
            troubled.append(True)
            happens(turn.round)
            turn.report(0.5, "half way")
        assert turn.step.outputs["begun"], "what is done already is found again"
        return does(turn)

    steps[name] = once
    begun = rounds.start()
    if happens is kill:
        job = Job.claim("a worker", Job.objects.filter(subject=str(begun.pk)))
        with pytest.raises(Killed):
            run(job)
        Job.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    else:
        job = made_rounds.taken(begun)
        rounds.look_after()
        begun.refresh_from_db()
    assert [begun.state, begun.step(name).state] == {
        kill: [Round.State.OPEN, RoundStep.State.RUNNING],
        fail: [Round.State.FAILED, RoundStep.State.FAILED],
        break_down: [Round.State.FAILED, RoundStep.State.FAILED],
        be_stopped: [Round.State.STOPPED, RoundStep.State.STOPPED],
        wait_for_people: [Round.State.OPEN, RoundStep.State.PEOPLE],
    }[happens]
    if begun.state in Round.INTERRUPTED:
        assert rounds_page.failure_of(begun)
        rounds.go_on(begun)
    made_rounds.taken(begun)
    step = begun.step(name)
    assert step.attempts == 2
    step.outputs.pop("begun")
    step.save()
    assert outcome_of(begun) == expected
    assert Job.objects.open().count() == 0


def test_a_failed_round_says_why_and_goes_on_where_its_job_is_started_again(steps):
    steps["train"] = lambda turn: fail(turn.round)
    begun = rounds.start()
    job = made_rounds.taken(begun)
    assert job.failure == rounds_page.failure_of(begun) == begun.step("train").reason == "The disk is full. Make room."
    steps["train"] = lambda turn: {}
    assert job.start_again()
    made_rounds.taken(begun)
    assert begun.state == Round.State.REFUSED


# --- one at a time


@pytest.mark.django_db(transaction=True)
def test_of_several_that_begin_a_round_at_once_one_does():
    def begin(number: int) -> str:
        try:
            return f"round {rounds.start(f'Starter {number}.').number}"
        except NotAllowed as problem:
            return str(problem)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(begin, range(8)))
    assert said.count("round 1") == 1
    assert all("is under way" in one for one in said if one != "round 1")
    assert Round.objects.count() == Job.objects.count() == 1
    assert RoundStep.objects.count() == len(NAMES)


def test_a_stopped_round_does_not_go_on_beside_another(steps):
    first = rounds.start()
    rounds.stop(first)
    second = rounds.start()
    assert second.number == first.number + 1
    with pytest.raises(NotAllowed, match="Another round is under way"):
        rounds.go_on(first)
    rounds.stop(second)
    rounds.go_on(first)
    made_rounds.taken(first)
    assert first.state == Round.State.REFUSED
    with pytest.raises(NotAllowed, match="nothing to go on with"):
        rounds.go_on(first)


# --- stopped


def test_a_round_that_no_machine_is_at_stops_at_once_and_is_told_by_whom(steps):
    person = factories.make_person("admin")
    begun = rounds.start()
    rounds.stop(begun, person)
    assert (begun.state, rounds_page.failure_of(begun)) == (Round.State.STOPPED, "Stopped by admin.")
    assert not Job.objects.open().exists()
    with pytest.raises(NotAllowed, match="was stopped"):
        rounds.stop(begun)


def test_a_round_at_work_stops_at_its_next_report(steps):
    def stops_itself(turn: round_steps.Turn) -> dict[str, Any]:
        rounds.stop(turn.round)
        assert turn.round.state == Round.State.OPEN, "its worker has to notice"
        turn.report(0.5, "half way")
        raise AssertionError("it went on")

    steps["train"] = stops_itself
    begun = rounds.start()
    job = made_rounds.taken(begun)
    assert (job.state, begun.state) == (Job.State.DONE, Round.State.STOPPED)
    assert states_of(begun)[:2] == [RoundStep.State.DONE, RoundStep.State.STOPPED]


# --- waiting for people


def asked(round: Round) -> ReviewItem:
    """An item that the round asks about."""
    found = factories.make_cover_fragment(state=CoverFragment.State.DOUBTFUL)
    places = {
        "start_s": found.start_s,
        "end_s": found.end_s,
        "correlation": 0.6,
        "tempo_ratio": 1.0,
        "probability": 0.5,
    }
    RoundFinding.objects.create(
        round=round, fragment=found.fragment, recording=found.recording, is_sure=True, asked_about=found, **places
    )
    return ReviewItem.ask_about(found)


@pytest.fixture
def waiting(steps) -> tuple[Round, ReviewItem]:
    """A round that waits for one verdict."""
    steps["double_check"] = round_steps.double_check
    steps["mine"] = lambda turn: {"mined": []}
    begun = rounds.start()
    item = asked(begun)
    begun.step("double_check").note(all_asked=True)
    made_rounds.taken(begun)
    assert begun.step("double_check").state == RoundStep.State.PEOPLE
    assert "1 of 1 findings wait" in rounds_page.in_words(begun)
    rounds.look_after()
    assert not Job.objects.open().exists(), "while it waits it occupies no worker"
    return begun, item


def test_a_round_goes_on_by_itself_when_people_have_judged(waiting):
    begun, item = waiting
    item.overrule(factories.make_person("admin"), "accept", "It is.")
    rounds.look_after()
    rounds.look_after()
    assert Job.objects.open().count() == 1
    made_rounds.taken(begun)
    assert begun.state == Round.State.REFUSED
    assert begun.step("double_check").outputs == {"all_asked": True, "asked": 1, "left": 0}


def test_it_waits_no_longer_than_so_many_days(waiting, settings):
    begun, _ = waiting
    long_ago = timezone.now() - timedelta(days=settings.ROUND_WAITS_DAYS)
    RoundStep.objects.filter(round=begun, name="double_check").update(started_at=long_ago)
    rounds.look_after()
    made_rounds.taken(begun)
    assert "did not come within 7 days" in begun.step("double_check").outputs["went_on"]


def test_an_admin_may_go_on_without_the_rest(waiting):
    begun, _ = waiting
    rounds.go_on(begun, factories.make_person("admin"))
    made_rounds.taken(begun)
    assert begun.step("double_check").outputs["went_on"] == "admin went on without the rest."


def test_a_round_that_waits_for_people_can_be_stopped(waiting):
    begun, _ = waiting
    rounds.stop(begun)
    assert (begun.state, begun.step("double_check").state) == (Round.State.STOPPED, RoundStep.State.STOPPED)


def test_what_nobody_judged_is_taken_back_and_what_one_judged_stays(waiting):
    begun, _ = waiting
    made = asked(begun)
    begun.findings.update(is_made_for_asking=True)
    judge = factories.make_person("judge")
    made.judge(judge, "accept")
    rounds.go_on(begun)
    made_rounds.taken(begun)
    assert list(CoverFragment.objects.all()) == [made.cover_fragment]
    assert list(ReviewItem.objects.all()) == [made]


def test_what_somebody_reported_meanwhile_stays_in_the_double_check(waiting):
    begun, item = waiting
    CoverFragment.objects.update(state=CoverFragment.State.MATCHED)
    with transaction.atomic():
        item.lock().ask_anew(None, "Reported as wrong.")
    rounds.go_on(begun)
    made_rounds.taken(begun)
    assert list(ReviewItem.objects.all()) == [item]


# --- the command


def said(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    call_command("round", json=True, **options)
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def no_starters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml_worker.management.commands.round.install_starter_checkpoints", lambda: [])


def test_the_command_goes_through_a_round_and_tells_of_it(steps, no_starters, capsys):
    told = said(capsys, kinds=["short"], steps=3, initial="nothing")
    assert (told["number"], told["state"], told["decision"]) == (1, "refused", "short-new: Refused: it fell.")
    assert told["options"] == {"kinds": ["short"], "initial": "nothing", "steps": 3}
    assert [step["state"] for step in told["steps"]] == ["done"] * len(NAMES)
    assert said(capsys, status=True)["in_words"] == "Round 1 was refused. short-new: Refused: it fell."
    assert said(capsys)["number"] == 2, "what is over is followed by a new one"


def test_the_command_takes_up_what_was_interrupted(steps, no_starters, capsys):
    steps["train"] = lambda turn: fail(turn.round)
    with pytest.raises(SystemExit):
        call_command("round", steps=3)
    assert "Round 1 failed: The disk is full. Make room." in capsys.readouterr().err
    steps["train"] = lambda turn: {}
    with pytest.raises(SystemExit) as stop:
        call_command("round", steps=4)
    assert stop.value.code == 2
    assert "begun with other options" in capsys.readouterr().err
    assert (said(capsys)["number"], Round.objects.get().state) == (1, "refused")


def test_the_command_leaves_what_was_interrupted_where_it_is_told_to(steps, no_starters, capsys):
    rounds.stop(rounds.start())
    assert said(capsys, new=True, steps=4)["number"] == 2


def test_the_command_waits_for_nobody(waiting, no_starters, capsys):
    begun, _ = waiting
    assert said(capsys)["steps"][4]["state"] == "people"
    assert said(capsys, go_on=True)["state"] == "refused"
    begun.refresh_from_db()
    assert begun.step("double_check").outputs["left"] == 1


def test_the_command_stops_a_round(no_starters, capsys):
    rounds.start()
    assert said(capsys, stop=True)["state"] == "stopped"
    with pytest.raises(SystemExit):
        call_command("round", stop=True)
    assert "No round is under way." in capsys.readouterr().err


# --- simulated rounds


@pytest.fixture
def nobody_hums(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation of its rounds alone."""
    for part in ("make_ready", "hum"):
        monkeypatch.setattr(simulate.Command, part, lambda self, *counts: None)
    monkeypatch.setattr(simulate.Command, "review", lambda self, *counts: 0)


def test_a_simulation_goes_through_rounds_and_spoils_the_one_it_is_told_to(steps, nobody_hums, capsys):
    call_command("simulate", rounds=2, singers=1, initial="nothing", sabotage=2, steps=7, json=True)
    told = json.loads(capsys.readouterr().out)["rounds"]
    assert [(one["number"], one["state"]) for one in told] == [(1, "refused"), (2, "refused")]
    first, second = (begun.options for begun in reversed(Round.objects.all()))
    assert first == {"is_simulated": True, "initial": "nothing", "as_if_nothing_came": True, "steps": 7}
    assert second == first | {"initial": "in use", "labels": "shuffled"}, "the second goes on from the first"


def test_a_simulation_waits_for_no_people_where_there_are_none(waiting, nobody_hums, capsys):
    begun, _ = waiting
    Round.objects.update(options={"is_simulated": True})
    call_command("simulate", rounds=1, singers=1, json=True)
    (told,) = json.loads(capsys.readouterr().out)["rounds"]
    assert told["number"] == begun.number, "a simulation that was killed goes on with its round"
    assert told["state"] == "refused"


def test_a_simulation_leaves_the_round_of_others_alone(nobody_hums, capsys):
    rounds.start()
    with pytest.raises(SystemExit):
        call_command("simulate", rounds=1, singers=1)
    assert "Another round is under way" in capsys.readouterr().err


def test_only_a_round_of_the_simulation_is_spoilt(capsys):
    with pytest.raises(SystemExit) as stop:
        call_command("simulate", rounds=2, sabotage=3)
    assert stop.value.code == 2


# --- the schedule


def accepted_hum(at: Any, split: str = "train", **fields: Any) -> Humming:
    song = factories.make_song(id=next(made_rounds.ids_of(split)), title="A song")
    return settled_hum(song, at, **fields)


def settled_hum(song: Any, at: Any, **fields: Any) -> Humming:
    fragment = factories.make_fragment(song.original or factories.make_recording(song))
    hum = factories.make_humming(fragment, **fields)
    made_rows.settled(hum, at)
    return hum


def test_a_round_is_due_after_so_many_newly_accepted_hums(settings):
    settings.ROUND_AFTER_NEW = 3
    song = accepted_hum(timezone.now()).fragment.song
    settled_hum(song, timezone.now(), ai_training=False)
    accepted_hum(timezone.now(), "test")
    accepted_hum(timezone.now(), "validation")
    settled_hum(song, timezone.now())
    assert rounds.due() == ""
    settled_hum(song, timezone.now())
    assert rounds.due() == "3 or more newly accepted hums and cover fragments and no round yet."
    settings.ROUNDS_SCHEDULED = False
    assert rounds.due() == ""


def passed(**time: float) -> None:
    """As if everything of rounds had happened so much earlier."""
    earlier = timedelta(**time)
    Round.objects.update(created_at=F("created_at") - earlier)
    StateChange.objects.update(at=F("at") - earlier)


@pytest.mark.parametrize("ending", ["promoted", "refused"])
def test_a_round_that_was_decided_has_used_its_material_up(settings, monkeypatch, ending: str):
    settings.ROUND_AFTER_NEW, settings.ROUND_AFTER_DAYS = 2, 14
    monkeypatch.setattr(rounds, "LEAST_NEW", 1)
    song = accepted_hum(timezone.now()).fragment.song
    settled_hum(song, timezone.now())
    assert rounds.due()
    rounds.start().end(ending, "It was decided.")
    assert rounds.due() == ""
    passed(days=15)
    ReviewItem.objects.update(settled_at=timezone.now() - timedelta(days=16))
    assert rounds.due() == ""
    settled_hum(song, timezone.now())
    assert rounds.due() == "15 days since round 1, and 1 newly accepted hums and cover fragments."
    settled_hum(song, timezone.now())
    assert rounds.due() == "2 or more newly accepted hums and cover fragments since round 1."


@pytest.mark.parametrize("ending", ["stopped", "failed"])
def test_an_interrupted_round_uses_nothing_up_but_the_schedule_rests_after_it(settings, monkeypatch, ending: str):
    settings.ROUND_AFTER_NEW, settings.ROUND_AFTER_DAYS = 2, 14
    monkeypatch.setattr(rounds, "LEAST_NEW", 2)
    song = accepted_hum(timezone.now()).fragment.song
    rounds.start().interrupt(ending, "It was interrupted.")
    settled_hum(song, timezone.now())
    assert rounds.due() == ""
    told = rounds_page.schedule()
    assert told["new"] == 2
    came_so = {"stopped": "was stopped", "failed": "failed"}[ending]
    assert told["words"].startswith(f"As round 1 {came_so}, none begins by itself before")
    passed(days=15)
    assert rounds.due() == f"15 days since round 1 {came_so}, and 2 newly accepted hums and cover fragments."
    rounds.start().interrupt(ending, "It was interrupted.")
    assert rounds.due() == ""


def test_training_that_is_taken_up_again_takes_stock_anew(settings):
    """What was accepted while the round was stopped is trained on, and counts no more."""
    settings.ROUND_AFTER_NEW = 1
    begun = rounds.start()
    begun.step("train").begin({})
    begun.interrupt("stopped", "It was stopped.")
    passed(hours=2)
    accepted_hum(timezone.now() - timedelta(hours=1))
    begun.take_up("Taken up.")
    assert rounds.Schedule.now().new() == 1
    begun.step("train").begin({})
    begun.end("refused", "It was decided.")
    assert rounds.due() == ""


def test_the_schedule_begins_one_round(settings):
    settings.ROUND_AFTER_NEW = 1
    accepted_hum(timezone.now())
    pending.make_jobs()
    pending.make_jobs()
    (begun,) = Round.objects.all()
    assert begun.why.startswith("1 or more newly accepted hums")
    assert Job.objects.filter(kind=Job.Kind.ROUND).count() == 1


def test_what_is_asked_every_few_seconds_is_little(settings, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        rounds.look_after()
    rounds.start()
    with django_assert_max_num_queries(3):
        rounds.look_after()


# --- how long it took


def at(step: RoundStep, *changes: tuple[float, str]) -> None:
    """The history of a step: so many seconds after its first change it was in these states."""
    start = timezone.now() - timedelta(hours=1)
    for (after_s, state), before in zip(changes, ["waiting", *(state for _, state in changes)], strict=False):
        row = StateChange.objects.create(
            subject="roundstep", subject_id=step.pk, before=before, after=state, why="It changed."
        )
        StateChange.objects.filter(pk=row.pk).update(at=start + timedelta(seconds=after_s))


def times_of(step: RoundStep) -> dict[str, Any]:
    return next(one for one in rounds_page.described(step.round)["steps"] if one["name"] == step.name)


def test_a_step_took_as_long_as_a_machine_was_at_it():
    step = rounds.start().step("double_check")
    assert times_of(step)["duration_s"] is None
    at(step, (0, "running"), (10, "people"), (500, "running"), (505, "stopped"), (900, "running"), (907, "done"))
    told = times_of(step)
    assert (told["duration_s"], told["with_people_s"], told["cut_off"]) == (22.0, 490.0, 0)


def test_an_attempt_of_which_nobody_knows_when_it_ended_is_not_counted():
    step = rounds.start().step("train")
    at(step, (0, "running"), (3000, "running"), (3040, "failed"))
    told = times_of(step)
    assert (told["duration_s"], told["cut_off"]) == (40.0, 1)


def test_a_step_that_runs_is_counted_up_to_now():
    step = rounds.start().step("train")
    step.begin({})
    StateChange.objects.update(at=F("at") - timedelta(seconds=30))
    assert 30.0 <= times_of(step)["duration_s"] < 60.0


def test_the_page_of_all_rounds_costs_the_same_for_many(admin: Client):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get("/manage/rounds/").status_code == 200
        return len(queries)

    rounds.start().end("refused", "It was decided.")
    few = cost()
    for _ in range(3):
        rounds.start().end("refused", "It was decided.")
    assert cost() == few


# --- too little


def test_with_too_little_a_round_ends_and_says_what_lacks():
    begun = rounds.start()
    job = run_here(Job.Kind.ROUND, begun.pk)
    begun.refresh_from_db()
    assert (job.state, begun.state) == (Job.State.DONE, Round.State.REFUSED)
    assert "at least 4 songs of the training split, and there are some of 0" in begun.decision
    assert states_of(begun) == [RoundStep.State.DONE, *[RoundStep.State.SKIPPED] * (len(NAMES) - 1)]
    assert not Checkpoint.objects.exists()


# --- checkpoints, promoted and refused


def test_what_is_promoted_last_is_used_and_what_is_refused_is_not():
    old, new = make_checkpoint("short-aaaaaaaaaaaa"), make_checkpoint("short-bbbbbbbbbbbb")
    assert Checkpoint.objects.latest() == new
    person = factories.make_person("admin")
    change = old.change_standing("promoted", "It hears whistling better.", person)
    assert Checkpoint.objects.latest() == old
    old.take_back_change(change, person)
    assert Checkpoint.objects.latest() == new
    new.change_standing("refused", "It was trained on a mistake.")
    assert Checkpoint.objects.latest() == old
    assert list(Checkpoint.objects.usable()) == [old]


def test_a_change_is_taken_back_once_and_only_the_latest():
    row = make_checkpoint("short-aaaaaaaaaaaa", standing="refused", standing_why="It fell.")
    first = row.change_standing("promoted", "Let us try.")
    second = row.change_standing("refused", "No.")
    with pytest.raises(NotAllowed, match="changed again since"):
        row.take_back_change(first)
    row.take_back_change(second)
    row.take_back_change(first)
    assert (row.standing, row.standing_why, row.promoted_at) == ("refused", "It fell.", None)
    with pytest.raises(NotAllowed):
        row.take_back_change(first)


def test_an_admin_promotes_and_refuses_with_a_reason_and_takes_it_back(admin):
    row = make_checkpoint("short-aaaaaaaaaaaa", standing="refused", standing_why="Refused: it fell.")
    address = f"/api/manage/checkpoints/{row.pk}/standing"
    assert admin.post(address, {"standing": "promoted"}, JSON).status_code == 400
    answer = admin.post(address, {"standing": "promoted", "why": "It hears whistling."}, JSON).json()
    assert answer == {"name": row.pk, "standing": "promoted", "why": "It hears whistling."}
    page = admin.get("/manage/checkpoints/").content.decode()
    assert "It hears whistling." in page
    assert "Undo the last decision" in page
    refused = admin.post(address, {"standing": "refused", "why": "No."}, JSON)
    assert (refused.status_code, refused.json()["code"]) == (409, "the_last")
    undone = admin.delete(address)
    assert (undone.status_code, undone.json()["code"]) == (409, "the_last"), "nothing could be used any more"
    shipped = make_checkpoint("short-bbbbbbbbbbbb", standing="promoted", is_shipped=True)
    needless = admin.post(address.replace(row.pk, shipped.pk), {"standing": "promoted", "why": "The old one."}, JSON)
    assert (needless.status_code, needless.json()["code"]) == (409, "not_before_others")
    assert admin.delete(address).json()["standing"] == "refused"
    assert admin.delete(address).status_code == 409
    assert "Refused: it fell." in admin.get("/manage/checkpoints/").content.decode()


def test_an_admin_begins_stops_and_takes_up_a_round(admin):
    begun = admin.post("/api/manage/rounds", {"kinds": ["short", "long"], "material": "hums", "steps": 5}, JSON).json()
    assert begun["options"] == {"kinds": ["short", "long"], "material": "hums", "steps": 5}
    assert (begun["asked_by"], begun["why"], len(begun["steps"])) == ("admin", "Started by hand.", len(NAMES))
    assert admin.post("/api/manage/rounds", {}, JSON).status_code == 409
    assert admin.post("/api/manage/rounds", {"steps": 0}, JSON).status_code == 400
    address = f"/api/manage/rounds/{begun['id']}"
    assert admin.post(f"{address}/stop").json()["state"] == "stopped"
    assert admin.post(f"{address}/go-on").json()["state"] == "open"
    (shown,) = admin.get("/api/manage/rounds").json()["rounds"]
    assert (shown["can_stop"], shown["can_go_on"]) == (True, False)


def test_checkpoints_from_before_are_promoted_unless_they_were_worse():
    from importlib import import_module

    from django.apps import apps

    migration = import_module("ml_worker.migrations.0008_rounds_and_standings")
    make_checkpoint("short-aaaaaaaaaaaa", standing="candidate")
    make_checkpoint("short-bbbbbbbbbbbb", standing="candidate", figures={"compared": {"is_worse": True}})
    migration.settle_standings(apps, None)
    assert dict(Checkpoint.objects.values_list("pk", "standing")) == {
        "short-aaaaaaaaaaaa": "promoted", "short-bbbbbbbbbbbb": "refused",
    }  # fmt: skip


def test_the_page_of_checkpoints_tells_hums_from_covers(admin):
    hums = [factories.make_humming() for _ in range(3)]
    material = {"covers_by_people": 1, "covers_by_machine": 1, "self_made_of_pairs": 0.3333}
    make_checkpoint("short-aaaaaaaaaaaa", hums, figures={"material": material})
    page = admin.get("/manage/checkpoints/").content.decode()
    assert "<dt>hums</dt><dd>1</dd>" in page
    assert "<dt>fragments of covers</dt><dd>2</dd>" in page
    assert "<dt>labels by a machine alone</dt><dd>33 %</dd>" in page


# --- the poster's table

RATES = {"top1": 0.5, "top3": 0.6, "top5": 0.7, "top10": 0.8, "top100": 0.9, "mrr": 0.55}
LOOKS = {"hums": {"rates": RATES}, "covers": {"rates": {name: rate / 2 for name, rate in RATES.items()}}}


def looked_at(name: str, material: str, **frozen: Any) -> Checkpoint:
    return make_checkpoint(
        name, figures={"material": {"material": material}}, frozen={"of": {}, "looks": LOOKS, **frozen}
    )


def cell(trained_on: str, model: str, query: str, top: str) -> dict[str, Any]:
    rows = rounds_page.posters_table()["rows"]
    (row,) = [one for one in rows if (one["trained_on"], one["model"]) == (trained_on, model)]
    (found,) = [one for one in row["cells"] if (one["query"], one["top"]) == (query, top)]
    return found | {"command": row["command"]}


def test_the_posters_table_is_filled_from_what_checkpoints_reached():
    looked_at("short-aaaaaaaaaaaa", "both")
    looked_at("long-bbbbbbbbbbbb", "both", **{"fused with short-aaaaaaaaaaaa": LOOKS})
    looked_at("long-cccccccccccc", "hums", **{"fused with short-dddddddddddd": LOOKS})
    assert cell("C+H", "short", "humming", "top3")["value"] == 0.6
    assert cell("C+H", "long", "singing", "top100")["value"] == 0.45
    fused = cell("C+H", "fused", "humming", "top10")
    assert (fused["value"], fused["checkpoint"]) == (0.8, "short-aaaaaaaaaaaa and long-bbbbbbbbbbbb")
    assert fused["command"] == "manage.py round --kinds short long --material both --from nothing"
    assert cell("H", "fused", "humming", "top10")["value"] is None, "of another short one"


def test_an_empty_cell_says_which_command_would_fill_it():
    table = rounds_page.posters_table()
    assert [column["top"] for column in table["columns"]] == ["top100", "top10", "top5", "top3"] * 2
    assert len(table["rows"]) == 9
    empty = cell("C", "short", "humming", "top100")
    assert (empty["value"], empty["checkpoint"]) == (None, "")
    assert empty["command"] == "manage.py round --kinds short --material covers --from nothing"
