"""How sure what a checkpoint finds is: fitted on constructed pairs once, and moved by people's verdicts ever since."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter

from django.db.models import QuerySet

from ml_worker.mining import calibration
from ml_worker.mining.align import Method
from ml_worker.mining.extract import Pair, chance_of, evidence_of, pair_of
from ml_worker.mining.passage import Passage
from ml_worker.mining.refine import align_finely
from ml_worker.mining.sureness import Evidence, Sureness
from ml_worker.models import Checkpoint
from ml_worker.work.audio_files import melody_of
from recordings.models import CoverFragment
from recordings.models.songs import Split

# Of more judged fragments than this, the latest count; they say where the verdicts are uncertain well enough.
MOST_VERDICTS = 400
# Constructed pairs, and originals of other tunes that each is compared with; fewer than for what comes with CHAD, as a
# round waits for it.
PAIRS, UNRELATED_TO = 35, 2


def sureness_of(checkpoint: Checkpoint, method: Method) -> Sureness:
    """The checkpoint's sureness as the verdicts of now have it; fitted where it was not, or where there are new ones.

    Args:
        method: the checkpoint's; its sureness is not looked at.
    """
    fitted = from_gold(checkpoint, method)
    judged = judged_fragments()
    said = digest_of(judged)
    if checkpoint.sureness.get("said") == said:
        return Sureness.from_dict(checkpoint.sureness["moved"])
    evidence, right = verdicts(judged, method)
    moved = fitted.moved(evidence, right)
    checkpoint.sureness = {"fitted": fitted.as_dict(), "moved": moved.as_dict(), "said": said}
    checkpoint.save(update_fields=["sureness"])
    return moved


def from_gold(checkpoint: Checkpoint, method: Method) -> Sureness:
    """As the constructed pairs have it, without any verdict."""
    if not checkpoint.sureness:
        fitted = calibration.sureness_of(method, PAIRS, UNRELATED_TO)
        checkpoint.sureness = {"fitted": fitted.as_dict(), "moved": fitted.as_dict()}
        checkpoint.save(update_fields=["sureness"])
    return Sureness.from_dict(checkpoint.sureness["fitted"])


def judged_fragments() -> QuerySet[CoverFragment]:
    """What people accepted or rejected of songs of the training split: no other decides what is doubtful.

    The latest `MOST_VERDICTS` of it, those of a pair together.
    """
    by_people = (CoverFragment.State.ACCEPTED, CoverFragment.State.REJECTED)
    of_songs = {"fragment__recording__song__split": Split.TRAIN, "fragment__recording__song__taken_down_at": None}
    analysed = {"fragment__recording__analyses__isnull": False, "recording__analyses__isnull": False}
    judged = CoverFragment.objects.filter(state__in=by_people, **of_songs, **analysed).distinct()
    latest = judged.order_by("-created_at", "pk").values("pk")[:MOST_VERDICTS]
    return CoverFragment.objects.filter(pk__in=latest).order_by("fragment__recording_id", "recording_id", "pk")


def digest_of(judged: QuerySet[CoverFragment]) -> str:
    """Another one as soon as people have judged more, or otherwise."""
    rows = judged.values_list("pk", "state")
    return hashlib.sha256("\n".join(f"{pk} {state}" for pk, state in rows).encode()).hexdigest()


def verdicts(judged: QuerySet[CoverFragment], method: Method) -> tuple[list[Evidence], list[bool]]:
    """What this method has to say for each fragment that people judged, and what they said."""
    found = list(_evidence(judged.select_related("fragment__recording", "recording"), method))
    return [evidence for evidence, _ in found], [right for _, right in found]


def _evidence(rows: QuerySet[CoverFragment], method: Method) -> Iterator[tuple[Evidence, bool]]:
    for (original, cover), of_pair in groupby(rows, key=attrgetter("fragment.recording", "recording")):
        pair = None
        for row in of_pair:
            known = row.evidence if row.checkpoint == method.name else None
            if not known and pair is None:
                melodies = melody_of(original.analysis.melody), melody_of(cover.analysis.melody)
                looked, played = method.look(melodies[0]), method.cover_at(melodies[1])
                pair = pair_of(looked, played, method.settings_to_find_all, melodies)
            yield Evidence(**known) if known else evidence_at(pair, row), row.state == CoverFragment.State.ACCEPTED


def evidence_at(pair: Pair, row: CoverFragment) -> Evidence:
    """What speaks for a fragment at a place where another checkpoint found it."""
    line = Passage.line((row.fragment.start_s, row.fragment.end_s), row.start_s, row.tempo_ratio)
    fine = align_finely(*pair.melodies, line)
    placed = fine.passage if fine else line
    return evidence_of(pair, placed, fine, chance_of(pair, placed, pair.places))
