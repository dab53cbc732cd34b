"""Two melodies in, aligned fragments out: with a checkpoint, or without one on the plain pitch curves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Self, TypedDict

from ml_worker.audio.chroma import Chroma
from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.fingerprints import Fingerprints
from ml_worker.mining.correlation import AtTempo
from ml_worker.mining.curve import curve_fingerprints
from ml_worker.mining.extract import AlignedFragment, MiningSettings, Pair, mine, pair_of
from ml_worker.mining.harmony import Continuation, continuations
from ml_worker.mining.null import PITCH_CURVE_NULL, NullLevel
from ml_worker.mining.sureness import PITCH_CURVE_SURENESS, Sureness

if TYPE_CHECKING:
    from ml_worker.fingerprint.checkpoint import Checkpoint


def at_any_tempo(melody: Melody, fingerprint: Callable[[Melody], Fingerprints]) -> AtTempo:
    """What gives a melody's fingerprints at a tempo ratio, and remembers them.

    Args:
        melody: of the cover.
        fingerprint: makes fingerprints of a melody; called once for each tempo.
    """
    return cache(lambda ratio: fingerprint(melody.faster(ratio)))


@dataclass(frozen=True)
class Method:
    """What the miner compares: a kind of fingerprint, what unrelated recordings reach with it, and how sure it is.

    Attributes:
        look: the fingerprints of a melody.
        null: the level of chance of these fingerprints.
        sureness: from evidence to probability; not fitted yet where it is None.
    """

    look: Callable[[Melody], Fingerprints]
    null: NullLevel
    sureness: Sureness | None

    @classmethod
    def of_checkpoint(cls, checkpoint: Checkpoint, null: NullLevel, sureness: Sureness | None = None) -> Self:
        """A checkpoint's. Raises ValueError where the null level is another one's."""
        # Only here is torch needed, which takes seconds to import.
        from ml_worker.fingerprint.fingerprinter import fingerprint_with

        if null.checkpoint != checkpoint.name:
            raise ValueError(
                f"The null level is of {null.checkpoint}. Calibrate that of {checkpoint.name} before mining."
            )
        return cls(partial(fingerprint_with, checkpoint.encoder(), checkpoint=checkpoint), null, sureness)

    @property
    def name(self) -> str:
        """The checkpoint's, or what stands in its place."""
        return self.null.checkpoint

    @property
    def settings(self) -> MiningSettings:
        """Raises ValueError where the sureness was not fitted yet."""
        if self.sureness is None:
            raise ValueError(f"How sure {self.name} is was not fitted yet. Calibrate it before mining.")
        return MiningSettings(self.null, self.sureness)

    @property
    def settings_to_find_all(self) -> MiningSettings:
        """Settings that drop nothing, however unsure: for fitting the sureness."""
        return MiningSettings(self.null, self.sureness or NOTHING_KNOWN, doubtful_from=0.0)

    def cover_at(self, cover: Melody) -> AtTempo:
        """A cover's fingerprints at any tempo."""
        return at_any_tempo(cover, self.look)

    def pair(self, original: Melody, cover: Melody) -> Pair:
        """Two melodies as the miner's steps see them."""
        return pair_of(self.look(original), self.cover_at(cover), self.settings, (original, cover))


NOTHING_KNOWN = Sureness(means=(0.0,) * 4, scales=(1.0,) * 4, weights=(0.0,) * 4, intercept=0.0, rows=0)
"""One that finds everything as likely as not."""

# Seconds of the cover that neighbours may share: two methods place an end apart.
SHARED_S = 0.5

PITCH_CURVE = Method(curve_fingerprints, PITCH_CURVE_NULL, PITCH_CURVE_SURENESS)
"""The plain pitch curves, which need no network."""


class Aligned(TypedDict):
    """A fragment as it is printed: from and to in both, seconds."""

    a: list[float]
    b: list[float]
    correlation: float
    tempo_ratio: float


def align_melodies(
    a: Melody,
    b: Melody,
    methods: Sequence[Method] = (PITCH_CURVE,),
    chromas: tuple[Chroma | None, Chroma | None] = (None, None),
) -> list[Aligned]:
    """The fragments that two melodies share, as `manage.py align` prints them, their seconds to a hundredth.

    The accepted ones of the first method, and of each further one what lies where nothing was found yet; at last, where
    the chroma of both are known, what goes on from there in harmony.
    """
    found: list[AlignedFragment] = []
    for method in methods:
        found += apart_from(found, [one for one in mined_with(method, a, b) if one.decision == "accepted"])
    return [_as_printed(one) for one in with_what_goes_on(found, (a, b), chromas)]


def with_what_goes_on(
    found: Sequence[AlignedFragment], melodies: tuple[Melody, Melody], chromas: tuple[Chroma | None, Chroma | None]
) -> list[AlignedFragment | Continuation]:
    """What the melody found and what goes on in harmony from there, in the order of the cover."""
    ours, theirs = chromas
    in_order = sorted(found, key=lambda one: one.b)
    beyond = continuations(in_order, melodies, (ours, theirs)) if ours and theirs else []
    return sorted([*in_order, *beyond], key=lambda one: one.b)


def mined_with(method: Method, a: Melody, b: Melody) -> list[AlignedFragment]:
    """What one method finds."""
    return mine(method.look(a), method.cover_at(b), method.settings, (a, b))


def apart_from(found: Sequence[AlignedFragment], more: Iterable[AlignedFragment]) -> list[AlignedFragment]:
    """Those of `more` that share no seconds of the cover with what was found."""
    return [
        one for one in more if all(min(one.b[1], other.b[1]) - max(one.b[0], other.b[0]) <= SHARED_S for other in found)
    ]


@cache
def shipped_methods() -> list[Method]:
    """All that comes with CHAD: the pitch curves, and the starter checkpoint of short windows where it is there.

    The curves place a fragment best; the network hears it through more of what a tracker gets wrong.
    """
    from ml_worker.fingerprint import shipped

    null, sureness = shipped.starter_null("short"), shipped.starter_sureness("short")
    if null is None or sureness is None:
        return [PITCH_CURVE]
    return [PITCH_CURVE, Method.of_checkpoint(shipped.starter_checkpoint("short"), null, sureness)]


def _as_printed(found: AlignedFragment | Continuation) -> Aligned:
    return {
        "a": [round(second, 2) for second in found.a],
        "b": [round(second, 2) for second in found.b],
        "correlation": round(found.correlation, 4),
        "tempo_ratio": round(found.tempo_ratio, 4),
    }
