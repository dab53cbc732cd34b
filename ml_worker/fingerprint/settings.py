"""Everything that a training run can be told, in one place. A checkpoint carries a copy."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self

Kind = Literal["short", "long"]

# Window and hop of the paper's two models, seconds.
WINDOWS: dict[str, tuple[float, float]] = {"short": (3.0, 0.25), "long": (8.0, 0.64)}
# Channels of ResNet18's first stage: as published, and what two cores train in minutes.
FULL_WIDTH = 64
SMALL_WIDTH = 16


@dataclass(frozen=True)
class Augmentation:
    """How a clean pair becomes the many ways in which it could have been sung. Probabilities are per window.

    The paper's: time stretch 0.8-1.25, SpliceOut, mixing with other items at 5-10 dB, noise. Its pitch shift has no
    effect here, as every window is centred on its mean. The others are of this project: with few songs, they keep the
    network from learning the singers.
    """

    # Both sides of a pair, together: how much faster or slower, as a factor either way.
    stretch: float = 1.25
    # The version against its original: tempo that is still off after the pair's tempo ratio, as a factor either way.
    mismatch: float = 1.2
    # How far a version may run ahead or behind within a window, seconds (rubato).
    rubato_s: float = 0.08
    # How far off the pair's alignment may be, seconds.
    misaligned_s: float = 0.05
    # SpliceOut: probability of a cut, and its longest, seconds.
    splice: float = 0.3
    splice_s: float = 0.3
    # Slow drift over a window, semitones at most.
    drift: float = 0.6
    # Fast unsteadiness, standard deviation in semitones.
    jitter: float = 0.15
    # Intervals sung wider or narrower, as a share.
    interval: float = 0.1
    # A note of up to note_s seconds: dropped, or sung wrong by up to wrong_semitones.
    dropped: float = 0.4
    wrong: float = 0.3
    wrong_semitones: float = 2.0
    note_s: float = 0.5
    # A stretch that the tracker put an octave away.
    octave_slip: float = 0.1
    # A breath or click that was taken for a voice.
    false_voice: float = 0.2
    # Another picture of the batch laid underneath: probability, and how strong (5-10 dB below is 0.56-0.32).
    mix: float = 0.2
    mix_strength: tuple[float, float] = (0.32, 0.56)
    # Grain in the picture, as a share of a full ridge.
    noise: float = 0.15
    # Share of pairs that are turned upside down, played backwards, or both. Both sides are turned alike, so each is a
    # sound pair of a tune that nobody wrote; few songs become four times as many.
    turned: float = 0.5
    # Share of pairs whose version is the original itself, augmented.
    own_version: float = 0.25


@dataclass(frozen=True)
class Settings:
    """What a checkpoint was made with. The defaults train in minutes on two cores; `Settings.paper` is full size."""

    kind: Kind = "short"
    # How much melody a fingerprint hears and how often there is one, seconds.
    window_s: float = WINDOWS["short"][0]
    hop_s: float = WINDOWS["short"][1]
    # Channels of the first stage; the later ones have two, four and eight times as many.
    width: int = SMALL_WIDTH
    # Numbers in a fingerprint.
    dimensions: int = 128
    # NT-Xent's temperature (paper) and the multi-similarity miner's margin (the library's; the paper gives none).
    tau: float = 0.05
    epsilon: float = 0.1
    # AdamW with a short warm-up, then a cosine down to zero. Choices of this project.
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 30
    # Pairs a step (so twice as many pictures), and steps.
    batch: int = 64
    steps: int = 300
    # Steps between two looks at the validation pairs, and between two saves of the resumable state.
    look_every: int = 100
    # Early stop after this many looks without a better hit rate; 0: never. The songs that are looked at then take part
    # in choosing the checkpoint, so let them be of the training split.
    patience: int = 0
    # Fewer songs than this are not worth training on: a loss needs other songs to push away from.
    least_songs: int = 4
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if self.kind not in WINDOWS:
            raise ValueError(f"There are the kinds {' and '.join(WINDOWS)}, not {self.kind}.")
        if min(self.window_s, self.hop_s, self.width, self.batch, self.steps, self.tau, self.look_every) <= 0:
            raise ValueError("Window, hop, width, batch, steps, tau and look_every are above zero.")

    @classmethod
    def of(cls, kind: Kind, **changes: Any) -> Self:
        """The default settings of a kind, with changes by name."""
        if kind not in WINDOWS:
            raise ValueError(f"There are the kinds {' and '.join(WINDOWS)}, not {kind}.")
        window_s, hop_s = WINDOWS[kind]
        return cls(**({"kind": kind, "window_s": window_s, "hop_s": hop_s} | changes))

    @classmethod
    def paper(cls, kind: Kind, **changes: Any) -> Self:
        """The full-size ResNet18. Batch, steps and learning rate are choices of this project: the paper gives none."""
        full = {"width": FULL_WIDTH, "batch": 128, "steps": 20_000, "learning_rate": 1e-3, "warmup_steps": 500}
        return cls.of(kind, **(full | {"look_every": 500} | changes))

    def changed(self, **changes: Any) -> Self:
        """A copy with changes by name."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        plain = asdict(self)
        plain["augmentation"]["mix_strength"] = list(self.augmentation.mix_strength)
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """The inverse of as_dict.

        Raises:
            TypeError: where there are settings that this version does not know.
        """
        rest = dict(plain)
        augmentation = dict(rest.pop("augmentation", {}))
        if "mix_strength" in augmentation:
            low, high = augmentation["mix_strength"]
            augmentation["mix_strength"] = (low, high)
        return cls(augmentation=Augmentation(**augmentation), **rest)
