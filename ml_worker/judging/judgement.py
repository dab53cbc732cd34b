"""What the check answers: reasons, estimates, and the judgement that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ml_worker.audio.melody import Melody
from ml_worker.judging.sentences import worded

Measures = dict[str, float | int | None]
Quantity = Literal["latency_s", "offset_s", "tempo_ratio", "transposition"]


@dataclass(frozen=True)
class Reason:
    """One thing that the check found.

    Attributes:
        code: silent, too_quiet, clipped, noise, cut_off, too_long, wrong_tune, off_time, dropouts, narrow_band, leak or
            words.
        message: for the singer: what is wrong and what to do; a format string of sentences.py.
        fatal: whether the take is refused for it; if not, it is only told.
        values: what the message's places hold.
    """

    code: str
    message: str
    fatal: bool = True
    values: dict[str, float] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The message with its values, in English."""
        return worded(self.message, self.values)

    def as_dict(self) -> dict[str, str | bool | dict[str, float]]:
        """For JSON: the sentence as it reads in English, and what another language's is made of."""
        return {
            "code": self.code,
            "sentence": self.sentence,
            "message": self.message,
            "values": self.values,
            "fatal": self.fatal,
        }


@dataclass(frozen=True)
class Estimate:
    """A value that the check found for how a take lies over its fragment.

    Attributes:
        quantity: latency_s is the stream's own: from the reference's stated start to where it is heard in the take.
        value: seconds, a ratio or semitones.
        method: "curves", from the alignment of the pitch curves, or "leak", from the reference heard in the take.
        confidence: 0..1; None where nothing is known of it.
    """

    quantity: Quantity
    value: float
    method: str
    confidence: float | None


@dataclass(frozen=True)
class Judgement:
    """What the check found in a take.

    Attributes:
        ok: no reason is fatal.
        reasons: the fatal ones first.
        offset_s, tempo_ratio, transposition: as in alignment.Alignment; None where nothing could be aligned.
        similarity: 0..1 to the whole fragment, 0.5 at the limit; 0 where nothing could be aligned.
        coverage: share of the fragment that is hummed, 0..1.
        measures: all figures behind the reasons, ready for JSON.
        melody: the take's pitch curve.
        estimates: each value with its method and confidence; of a quantity there may be several.
    """

    ok: bool
    reasons: list[Reason]
    offset_s: float | None
    tempo_ratio: float | None
    transposition: float | None
    similarity: float
    coverage: float
    measures: Measures
    melody: Melody
    estimates: list[Estimate] = field(default_factory=list)
