"""A round of the loop: its steps in order, each done once, whatever is killed in between.

A step that ran when its worker was killed runs again, and finds in the rows what is done already. It ends in one of
five ways: done, skipped (what it was for has come to nothing), waiting for people, stopped by a person, or failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chad_site.errors import NotAllowed
from ml_worker import chain, rounds
from ml_worker.models import Checkpoint, Job, Round, RoundStep
from ml_worker.work import CannotBeDone
from ml_worker.work.round_steps import (
    STEPS,
    NothingToTrainOn,
    Skipped,
    Stopped,
    Turn,
    WaitsForPeople,
    forget_unjudged,
)

if TYPE_CHECKING:
    from ml_worker.work import Outcome


def do(job: Job, report: Callable[[float, str], None]) -> Outcome:
    round = Round.objects.get(pk=job.subject)
    if round.state in Round.INTERRUPTED:
        try:
            round.take_up("Its job was started again.")
        except NotAllowed as problem:
            raise CannotBeDone(str(problem)) from problem
    if round.state == Round.State.OPEN:
        walk(round, job, report)
    round.refresh_from_db()
    return in_words(round), {"round": round.number, "state": round.state}


def walk(round: Round, job: Job, report: Callable[[float, str], None]) -> None:
    """Takes the steps that are not over yet, as far as that goes, and ends the round after the last."""
    while step := round.next_step:
        if not take(Turn(round, step, job, report)):
            return
    conclude(round)


def take(turn: Turn) -> bool:
    """Takes one step; whether the next one can be taken.

    Raises:
        CannotBeDone: it failed, and so did the round.
    """
    round, step = turn.round, turn.step
    try:
        turn.report(0.0, step.get_name_display())
        step.begin({"job": str(turn.job.pk)})
        outputs = STEPS[step.name](turn)
    except Stopped:
        round.refresh_from_db()
        round.interrupt(Round.State.STOPPED, rounds.why_stopped(round), round.stop_asked_by)
        return False
    except WaitsForPeople as reason:
        step.leave(RoundStep.State.PEOPLE, str(reason))
        return False
    except Skipped as reason:
        step.leave(RoundStep.State.SKIPPED, str(reason))
    except NothingToTrainOn as reason:
        step.finish({"too_little": str(reason)})
        for later in round.steps.exclude(state__in=RoundStep.OVER):
            later.leave(RoundStep.State.SKIPPED, str(reason))
    except CannotBeDone as problem:
        round.interrupt(Round.State.FAILED, str(problem))
        raise
    else:
        step.finish(outputs)
    return True


def conclude(round: Round) -> None:
    """The end of a round all of whose steps are over. What is promoted mines all songs from now on."""
    decide = round.step(RoundStep.Name.DECIDE)
    decisions: dict[str, Any] = decide.outputs.get("decisions", {})
    if promoted := [decision["checkpoint"] for decision in decisions.values() if decision["promote"]]:
        state = Round.State.PROMOTED
        ask_to_mine(promoted)
    else:
        state = Round.State.REFUSED
    forget_unjudged(round)
    words = " ".join(decision["words"] for decision in decisions.values())
    round.end(state, words or decide.reason)


def ask_to_mine(promoted: list[str]) -> None:
    """All songs are mined anew, where what mines is new."""
    used = Checkpoint.objects.to_mine_with()
    if used and used.pk in promoted:
        for song in chain.songs_to_mine():
            Job.ask(Job.Kind.MINE, song.pk)


def in_words(round: Round) -> str:
    """Where the round stands, for the list of jobs."""
    if round.state == Round.State.OPEN:
        step = round.next_step
        return f"Round {round.number} waits: {step.reason}" if step else f"Round {round.number} is under way."
    return f"Round {round.number}: {round.decision or round.get_state_display()}"
