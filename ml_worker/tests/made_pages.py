"""Rows for tests of the admin's pages: mined pairs with their pictures, and rounds with their figures, all made up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from django.utils import timezone

from ml_worker.mining.refine import FRAME_S
from ml_worker.models import MinedPair, Round, RoundStep
from ml_worker.work.pairs import Picture
from recordings.models import CoverFragment, Fragment, Recording, StateChange
from recordings.storage import put
from recordings.tests import factories

EVIDENCE = {"chance": 0.0002, "mismatch": 0.124, "agreement_s": 3.81, "notes": 11}
# A cover of 44 s of an original of 40 s, both of one note; everything in seconds.
ORIGINAL_S, COVER_S = 40.0, 44.0
COURSES = [
    np.array([[2.0, 3.0], [10.0, 12.0], [20.0, 23.0]]),
    np.array([[24.0, 27.5], [38.0, 42.0]]),
]


def make_picture(cells: tuple[int, int] = (80, 88)) -> Picture:
    """A map with one dark diagonal, two courses, and curves that go up and down."""
    down, right = np.indices(cells)
    away = np.abs(down * 1.1 + 2 - right)
    curve = (60 + 5 * np.sin(np.arange(0, COVER_S, FRAME_S))).astype(np.float32)
    curve[200:300] = np.nan
    return Picture(
        map=np.clip(255 - 40 * away, 0, 255).astype(np.uint8),
        cell_s=(ORIGINAL_S / cells[0], COVER_S / cells[1]) if all(cells) else (0.5, 0.5),
        floor=0.31,
        courses=COURSES if all(cells) else [],
        curves=(curve[: round(ORIGINAL_S / FRAME_S)], curve),
    )


def make_pair(
    finding: str = MinedPair.Finding.COVER,
    picture: Picture | None = None,
    *,
    title: str = "Auld Lang Syne",
    **fields: Any,
) -> MinedPair:
    """A mined pair of a song of its own, its cover by Somebody."""
    original = factories.make_recording(factories.make_song(title), seconds=ORIGINAL_S)
    hz = 330.0 + MinedPair.objects.count()
    cover = factories.make_recording(original.song, Recording.Kind.COVER, seconds=COVER_S, hz=hz, artist="Somebody")
    facts = {
        "checkpoint": "short-made",
        "covered_share": 0.73,
        "tempo_ratio": 1.1,
        "transposition": -2.0,
        "took_s": 0.8,
    }
    pair = MinedPair(original=original, cover=cover, finding=finding, **{**facts, **fields})
    pair.save()
    put(pair.picture, "pair.npz", (picture or make_picture()).to_bytes())
    pair.save(update_fields=["picture"])
    return pair


def make_fragments(pair: MinedPair) -> list[CoverFragment]:
    """A fragment in every state, one after the other in both, each of a phrase of its own."""
    return [found_at(pair, 3.0 + 8 * place, state) for place, state in enumerate(CoverFragment.State)]


def found_at(pair: MinedPair, start_s: float, state: str) -> CoverFragment:
    fragment: Fragment = factories.make_fragment(pair.original, start_s, start_s + 6)
    return factories.make_cover_fragment(
        fragment, pair.cover, state, start_s=1.1 * start_s + 1, end_s=1.1 * (start_s + 6) + 1, correlation=0.83,
        null_level=0.35, probability=0.97, transposition=-2.0, evidence=EVIDENCE,
    )  # fmt: skip


# --- rounds


def rates(top1: float) -> dict[str, float]:
    return {"top1": top1, "top3": top1, "top5": top1, "top10": top1, "top100": top1, "mrr": top1}


def looked(top1: float, before: float | None) -> dict[str, Any]:
    """A benchmark as a round's evaluation keeps it."""
    if before is None:
        return {"rates": rates(top1)}
    change = [top1 - before, top1 - before - 0.02, top1 - before + 0.02]
    return {"rates": rates(top1), "rates_of_incumbent": rates(before), "mrr_difference": change}


def evaluation(top1: float = 0.6, before: float | None = None) -> dict[str, Any]:
    """The outputs of a round's evaluation, of one short checkpoint."""
    looks = {"hums": looked(top1, before), "covers": looked(top1 / 2, None if before is None else before / 2)}
    truth = {"seen": {"precision": 0.98}, "unseen": {"precision": None}}
    mined = {"sure": 30, "doubtful": 4, "covers": 5, "seconds": 240.5, "precision": {"right": 9, "judged": 10}}
    kinds = {"short": {"incumbent": None, "frozen": looks, "unseen": looks, "material": {"self_made_of_pairs": 0.25}}}
    return {"kinds": kinds, "mined": mined | {"truth": truth}}


GATES = [
    {"name": "hums", "sentence": "On hums nothing fell."},
    {"name": "precision", "sentence": "People judged 0 of its findings."},
]
DECISION = {"promote": True, "gates": GATES, "words": "short-new: Promoted: nothing fell.", "checkpoint": "short-new"}
OUTPUTS = {
    RoundStep.Name.COLLECT: {
        "hums": 12, "songs_with_hums": 4, "new": 3, "cover_fragments": {"matched": 7}, "songs": {"train": 6, "test": 1},
    },
    RoundStep.Name.TRAIN: {"checkpoints": {"short": "short-new"}, "words": {"short": "short-new was trained."}},
    RoundStep.Name.CALIBRATE: {"kinds": {"short": {"incumbent": "short-old", "decision": DECISION}}},
    RoundStep.Name.MINE: {"songs": ["a", "b"], "mined": ["a", "b"], "sure": 30, "doubtful": 4},
    RoundStep.Name.DOUBLE_CHECK: {"asked": 10, "left": 0},
    RoundStep.Name.DECIDE: {"decisions": {"short": DECISION}},
}  # fmt: skip


def make_round(state: str = Round.State.PROMOTED, *, top1: float = 0.6, before: float | None = None) -> Round:
    """A round that was gone through."""
    made = Round.begin("Started by hand.", kinds=["short"], material="both")
    began = timezone.now() - timedelta(hours=1)
    for step in made.steps.all():
        step.outputs = evaluation(top1, before) if step.name == RoundStep.Name.EVALUATE else OUTPUTS[step.name]
        step.state, step.attempts = RoundStep.State.DONE, 1
        step.inputs, step.started_at = {"job": "a job"}, began + timedelta(minutes=step.place)
        step.finished_at = step.started_at + timedelta(seconds=50)
        step.save()
        for after, at in (("running", step.started_at), ("done", step.finished_at)):
            change = StateChange.objects.create(subject="roundstep", subject_id=step.pk, after=after, why="Made up.")
            StateChange.objects.filter(pk=change.pk).update(at=at)
    words = {"promoted": DECISION["words"], "refused": "short-new: Refused: it fell."}
    made.end(state, words[state])
    return made
