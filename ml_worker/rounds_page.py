"""Rounds as the admin's page shows them: each with its steps and figures, the figures of all, and the poster's table.

Pure reading: everything told here stands in rows, where the steps of the rounds wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format

from ml_worker import rounds
from ml_worker.chain import plural
from ml_worker.models import Checkpoint, Round, RoundStep
from recordings.models import StateChange

# The columns of the poster's table: the hit rates that it gives, for queries by humming and by singing.
TOPS = ("top100", "top10", "top5", "top3")
# What stands for its two kinds of queries: the frozen benchmarks, whose queries are simulated (fingerprint/frozen.py).
BENCHMARK_OF = {"humming": "hums", "singing": "covers"}
# Its rows: what was trained on, as the poster calls it and as a round's material is called.
MATERIAL_OF = {"H": "hums", "C": "covers", "C+H": "both"}
MODELS = ("short", "long", "fused")


def as_shown() -> dict[str, Any]:
    """Everything of the page, in plain values."""
    every = list(Round.objects.select_related("asked_by").prefetch_related("steps"))
    times = times_of(step for one in every for step in one.steps.all())
    return {
        "rounds": [described(one, times) for one in every],
        "figures": [figures for one in reversed(every) if (figures := figures_of(one))],
        "poster": posters_table(),
        "schedule": schedule(),
    }


# --- one round


@dataclass
class Times:
    """How long a step took, seconds.

    Attributes:
        worked_s: a machine was at it; not the time in which it was stopped, or waited for people or a worker.
        with_people_s: it waited for people.
        cut_off: attempts whose worker was lost. Nobody knows when, so they are not counted in `worked_s`.
    """

    worked_s: float = 0.0
    with_people_s: float = 0.0
    cut_off: int = 0


def times_of(steps: Iterable[RoundStep]) -> dict[UUID, Times]:
    """Of each step that has begun, as its changes of state tell; of what is under way up to now."""
    changes: dict[UUID, list[tuple[str, datetime]]] = {}
    rows = StateChange.objects.filter(
        subject=RoundStep._meta.model_name, subject_id__in=[step.pk for step in steps]
    ).values_list("subject_id", "after", "at")
    for step, state, at in rows:
        changes.setdefault(step, []).append((state, at))
    return {step: times_in(of_it) for step, of_it in changes.items()}


def times_in(changes: list[tuple[str, datetime]]) -> Times:
    """Of one step: (state, since when), in order."""
    times, running = Times(), RoundStep.State.RUNNING
    for (state, since), (following, until) in pairwise([*changes, ("", timezone.now())]):
        if state == running and following == running:
            times.cut_off += 1
        elif state == running:
            times.worked_s += (until - since).total_seconds()
        elif state == RoundStep.State.PEOPLE:
            times.with_people_s += (until - since).total_seconds()
    return times


def described(round: Round, times: dict[UUID, Times] | None = None) -> dict[str, Any]:
    """A round with its steps; `times`: of its steps, where they are known already."""
    steps = list(round.steps.all())
    times = times_of(steps) if times is None else times
    asks = any(step.state == RoundStep.State.PEOPLE for step in steps)
    return {
        "id": str(round.pk),
        "number": round.number,
        "state": round.state,
        "title": round.get_state_display(),
        "why": round.why,
        "asked_by": round.asked_by.get_username() if round.asked_by else "",
        "options": round.options,
        "decision": round.decision,
        "failure": failure_of(round),
        "in_words": in_words(round),
        "created_at": round.created_at,
        "finished_at": round.finished_at,
        "is_stopping": round.state == Round.State.OPEN and round.stop_asked_at is not None,
        "can_stop": round.state == Round.State.OPEN and round.stop_asked_at is None,
        "can_go_on": round.state in Round.INTERRUPTED or asks,
        "duration_s": round_s(sum(times[step.pk].worked_s for step in steps if step.pk in times)),
        "steps": [described_step(step, times.get(step.pk, Times())) for step in steps],
        "figures": figures_of(round),
    }


def described_step(step: RoundStep, times: Times) -> dict[str, Any]:
    """A step; its times are None before it began."""
    has_begun = step.started_at is not None or times != Times()
    return {
        "name": step.name,
        "title": step.get_name_display(),
        "state": step.state,
        "state_words": step.get_state_display(),
        "inputs": step.inputs,
        "outputs": shortened(step.outputs),
        "reason": step.reason,
        "attempts": step.attempts,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "duration_s": round_s(times.worked_s) if has_begun else None,
        "with_people_s": round_s(times.with_people_s) if has_begun else None,
        "cut_off": times.cut_off,
    }


def shortened(outputs: dict[str, Any]) -> dict[str, Any]:
    """Lists of songs by how many they are."""
    return {
        name: len(value) if name in ("songs", "mined") and isinstance(value, list) else value
        for name, value in outputs.items()
    }


def round_s(seconds: float) -> float:
    return float(f"{seconds:.1f}")


def failure_of(round: Round) -> str:
    """Why it failed or was stopped; "" where it did not and was not."""
    if round.state not in Round.INTERRUPTED:
        return ""
    latest = round.history.filter(after=round.state).last()
    return latest.why if latest else ""


def in_words(round: Round) -> str:
    """One sentence: where it stands."""
    if round.state == Round.State.OPEN:
        step = round.next_step
        what = f"{step.get_name_display()}. {step.reason}".strip() if step else "its end."
        return f"Round {round.number} is under way: {what}"
    return f"Round {round.number} {rounds.ENDING[round.state]}. {round.decision or failure_of(round)}"


def figures_of(round: Round) -> dict[str, Any]:
    """What was measured of a round that came to its evaluation; {} of others.

    hit_rates: {kind: {benchmark: {"top1": ..., "mrr": ...}}}, those of `unseen` told apart; precision: of what people
    judged, with how many; precision_by_truth: of songs trained on and never seen, where the truth is known; sure,
    doubtful, seconds: the yield, None of a round that did not mine; self_made_share: of the labels trained on.
    """
    steps = {step.name: step for step in round.steps.all()}
    evaluated = steps[RoundStep.Name.EVALUATE].outputs
    if "kinds" not in evaluated:
        return {}
    kinds, mined = evaluated["kinds"], evaluated["mined"]
    right, judged = mined["precision"]["right"], mined["precision"]["judged"]
    has_mined = steps[RoundStep.Name.MINE].state != RoundStep.State.SKIPPED
    return {
        "number": round.number,
        "state": round.state,
        "hit_rates": {kind: rates_in(of["frozen"]) for kind, of in kinds.items()},
        "hit_rates_unseen": {kind: rates_in(of["unseen"]) for kind, of in kinds.items()},
        "mrr_difference": {kind: differences_in(of["frozen"]) for kind, of in kinds.items()},
        "mrr_difference_unseen": {kind: differences_in(of["unseen"]) for kind, of in kinds.items()},
        "fused": evaluated.get("fused", {}),
        "precision": right / judged if judged else None,
        "judged": judged,
        "precision_by_truth": {split: of["precision"] for split, of in mined["truth"].items()},
        **{name: mined[name] if has_mined else None for name in ("sure", "doubtful", "seconds")},
        "self_made_share": {kind: of["material"].get("self_made_of_pairs") for kind, of in kinds.items()},
    }


def rates_in(looks: dict[str, Any]) -> dict[str, Any]:
    return {name: look["rates"] for name, look in looks.items()}


def differences_in(looks: dict[str, Any]) -> dict[str, Any]:
    """To the checkpoint that was in use: [difference, low, high] by benchmark."""
    return {name: look["mrr_difference"] for name, look in looks.items() if "mrr_difference" in look}


# --- the schedule


def schedule() -> dict[str, Any]:
    """When the next round begins by itself, in words."""
    now = rounds.Schedule.now()
    new = now.new(most=10 * settings.ROUND_AFTER_NEW)
    return {"is_on": settings.ROUNDS_SCHEDULED, "new": new, "words": schedule_in_words(now, new)}


def schedule_in_words(now: rounds.Schedule, new: int) -> str:
    if not settings.ROUNDS_SCHEDULED:
        return "Rounds begin by hand alone; CHAD_ROUNDS_SCHEDULED turns the schedule on."
    since = f", since round {now.counted.number} trained" if now.counted else ""
    there_are = f"There {plural(new, 'is', 'are')} {new:,} now{since}."
    if now.interrupted and now.rests_until:
        return (
            f"As round {now.interrupted.number} {rounds.ENDING[now.interrupted.state]}, none begins by itself before "
            f"{in_days(now.rests_until)}, and then with at least {rounds.LEAST_NEW} newly accepted hums and cover "
            f"fragments of training songs. {there_are} By hand one may begin at any time."
        )
    return (
        f"A round begins by itself after {settings.ROUND_AFTER_NEW} newly accepted hums and cover fragments of "
        f"training songs, or after {settings.ROUND_AFTER_DAYS} days with at least {rounds.LEAST_NEW}. {there_are}"
    )


def in_days(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "j F Y")


# --- the poster's table


def posters_table() -> dict[str, Any]:
    """The table of the poster with own figures: hit rates by what was trained on and by the model.

    Each cell has its value (None where it was not measured), the checkpoint that it is of, and the command that makes
    it. The queries are simulated, and the figures stand beside the poster's as little as the collections are alike.
    """
    return {
        "columns": [{"query": query, "top": top} for query in BENCHMARK_OF for top in TOPS],
        "rows": [
            {
                "trained_on": name,
                "model": model,
                "cells": list(cells_of(material, model)),
                "command": command_of(material, model),
            }
            for name, material in MATERIAL_OF.items()
            for model in MODELS
        ],
    }


def cells_of(material: str, model: str) -> Iterator[dict[str, Any]]:
    rates, name = rates_of(material, model)
    for query, benchmark in BENCHMARK_OF.items():
        for top in TOPS:
            value = rates.get(benchmark, {}).get(top)
            yield {"query": query, "top": top, "value": value, "checkpoint": name}


def rates_of(material: str, model: str) -> tuple[dict[str, Any], str]:
    """The kept rates of the latest checkpoint of this material, and its name; nothing where there is none."""
    if model != "fused":
        row = latest_of(material, model)
        return (rates_kept(row.frozen.get("looks", {})), row.pk) if row else ({}, "")
    for long in checkpoints_of(material, "long"):
        for key, looks in long.frozen.items():
            short = key.removeprefix("fused with ")
            if short != key and checkpoints_of(material, "short").filter(pk=short).exists():
                return rates_kept(looks), f"{short} and {long.pk}"
    return {}, ""


def rates_kept(looks: dict[str, Any]) -> dict[str, Any]:
    return {name: look["rates"] for name, look in looks.items()}


def latest_of(material: str, kind: str) -> Checkpoint | None:
    return checkpoints_of(material, kind).first()


def checkpoints_of(material: str, kind: str) -> Any:
    """Checkpoints that were trained here on this material alone and looked at, latest first.

    Not those that began with the starter checkpoint, which goes along with simulated hums of tunes; nor those whose
    labels were shuffled to show that they are refused.
    """
    looked = Checkpoint.objects.trained_here().filter(kind=kind).exclude(frozen={}).exclude(data__has_key="tunes")
    looked = looked.exclude(figures__contains={"labels": "shuffled"})
    is_of_it = Q(figures__material__material=material)
    return looked.filter(is_of_it).order_by("-created_at")


def command_of(material: str, model: str) -> str:
    kinds = "short long" if model == "fused" else model
    return f"manage.py round --kinds {kinds} --material {material} --from nothing"
