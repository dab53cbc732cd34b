"""Whether a new checkpoint is used: what it reaches on the frozen benchmarks, against the one in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ml_worker.catalogue import tunes
from ml_worker.catalogue.performance import as_written
from ml_worker.fingerprint import frozen, gates
from ml_worker.fingerprint.checkpoint import Checkpoint as Weights
from ml_worker.fingerprint.data import Tune
from ml_worker.fingerprint.looked import Looked
from ml_worker.fingerprint.shipped import notes_of
from ml_worker.models import Checkpoint
from ml_worker.work.audio_files import bytes_of
from ml_worker.work.starter import starter_id
from recordings.models.songs import Split
from recordings.splits import split_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ml_worker.fingerprint.gates import Counted, Decision

Looks = dict[str, Looked]

# The benchmarks whole; tests look at less.
SIZE = frozen.FULL


def weights_of(checkpoint: Checkpoint) -> Weights:
    return Weights.from_bytes(bytes_of(checkpoint.file))


def incumbent_of(checkpoint: Checkpoint, *, with_shipped: bool = True) -> Checkpoint | None:
    """The one in use, of the same kind, whose place it would take; without what came with CHAD where that is not to be
    compared with.
    """
    others = Checkpoint.objects.usable(checkpoint.kind).exclude(pk=checkpoint.pk)
    return (others if with_shipped else others.trained_here()).first()


# --- looks, made once and kept with the checkpoint


def looks_of(checkpoint: Checkpoint) -> Looks:
    """At the frozen benchmarks."""
    return _kept(checkpoint, "looks", lambda: frozen.look(weights_of(checkpoint), SIZE))


def unseen_looks_of(checkpoint: Checkpoint) -> Looks:
    """At the starter catalogue's tunes outside the training split; to be told, never to decide by."""
    return _kept(checkpoint, "unseen", lambda: frozen.unseen(weights_of(checkpoint), unseen_tunes(), SIZE))


def fused_looks_of(short: Checkpoint, long: Checkpoint) -> Looks:
    """At the frozen benchmarks, both together; kept with the long one, by the name of the short one."""
    both = f"fused with {short.pk}"
    return _kept(long, both, lambda: frozen.look_fused(weights_of(short), weights_of(long), SIZE))


def _kept(checkpoint: Checkpoint, which: str, look: Callable[[], Looks]) -> Looks:
    """The looks that are kept under a name, made anew where they are of another version or size of the benchmarks."""
    of_these = {"version": frozen.VERSION, "tunes": SIZE.tunes, "distractors": SIZE.distractors}
    known = checkpoint.frozen if checkpoint.frozen.get("of") == of_these else {"of": of_these}
    if which not in known:
        made = {name: looked.as_dict() for name, looked in look().items()}
        checkpoint.frozen = known | {which: made}
        checkpoint.save(update_fields=["frozen"])
        known = checkpoint.frozen
    return as_looks(known[which])


def as_looks(stored: dict) -> Looks:
    return {name: Looked.from_dict(plain) for name, plain in stored.items()}


def unseen_tunes() -> list[Tune]:
    """The starter catalogue's tunes whose songs nobody trains on."""
    unseen = [tune for tune in tunes() if split_of(starter_id(tune.slug)) != Split.TRAIN]
    return [Tune(tune.slug, notes_of(as_written(tune).notes())) for tune in unseen]


# --- deciding


def decision_on(
    candidate: Checkpoint,
    incumbent: Checkpoint | None,
    precision_new: Counted | None = None,
    precision_old: Counted | None = None,
) -> Decision:
    """What the gates say of a candidate."""
    old = looks_of(incumbent) if incumbent else None
    return gates.decide(looks_of(candidate), old, precision_new, precision_old)


def settle(candidate: Checkpoint, decision: Decision) -> None:
    """Promotes or refuses a candidate; twice is once. What is in use already stays so."""
    if candidate.standing != Checkpoint.Standing.CANDIDATE:
        return
    standing = Checkpoint.Standing.PROMOTED if decision.promote else Checkpoint.Standing.REFUSED
    candidate.change_standing(standing, decision.words)
