"""Everything that a training run can be told, in one place. A checkpoint carries a copy."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, get_args

Kind = Literal["short", "long"]
Centred = Literal["recording", "window"]
Loss = Literal["nt-xent", "segment-set"]
Precision = Literal["bfloat16", "float32"]

# Window and hop of the paper's two models, seconds.
WINDOWS: dict[str, tuple[float, float]] = {"short": (3.0, 0.25), "long": (8.0, 0.64)}
# Stages of ResNet18.
STAGES = 4
# Channels of ResNet18's first stage: as published, and what two cores train in minutes.
FULL_WIDTH = 64
SMALL_WIDTH = 16
STARTER_WIDTH = 16
# The long one begins with the weights of the short one.
STARTER_STEPS = {"short": 3000, "long": 1000}


@dataclass(frozen=True)
class Augmentation:
    """How a clean pair becomes the many ways in which it could have been sung. Probabilities are per window.

    The paper's: time stretch 0.8-1.25, SpliceOut, mixing with other items at 5-10 dB, noise. Its pitch shift is
    `off_centre` here, as pictures are drawn about their mean pitch. The others are of this project: with few songs,
    they keep the network from learning the singers.
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
    # How far the middle of the rows is off the mean pitch at most, semitones, of originals and of versions: a whole
    # recording has another mean than the part of it that is hummed.
    off_centre: tuple[float, float] = (5.0, 2.0)
    # Windows in training are shorter and longer than those in use by up to this share.
    window_spread: float = 0.3


@dataclass(frozen=True)
class Singing:
    """How hums are made from a score (`fingerprint.sung`). Choices of this project.

    Spreads are standard deviations for a clumsiness of 1, probabilities are of a whole hum unless said otherwise.
    """

    # How far people depart from the score: a factor of what follows, drawn for each hum.
    clumsiness: tuple[float, float] = (0.1, 1.4)
    # Tempo that is left after the tempo grid of the search, and local swings of it, both as a logarithm.
    pace: float = 0.04
    swing: float = 0.18
    # Onsets around that, seconds.
    onset_s: float = 0.05
    # Semitones: intervals too wide or narrow (a share), each note, drift over the hum, probability of a lost key.
    interval: float = 0.1
    mistuned: float = 0.55
    drift: float = 1.0
    new_key: float = 0.15
    # Per note: another one, or none.
    wrong: float = 0.06
    dropped: float = 0.05
    # The tune goes on an octave away for a while.
    octave_change: float = 0.08
    # Share of a note's length that is silent at most, and probability (per long note) that a breath shortens it.
    detached: float = 0.35
    breath: float = 0.15
    # All notes in one line, as with a closed mouth.
    run_together: float = 0.3
    glide_s: tuple[float, float] = (0.02, 0.16)
    scoop: float = 0.4
    vibrato: float = 0.35
    # Fast unsteadiness, semitones.
    jitter: float = 0.15
    # The tracker: stretches an octave away, not heard, heard where there is no voice.
    octave_slip: float = 0.15
    unheard: float = 0.3
    false_voice: float = 0.3
    # Attacks: share that is heard, false ones a second, and probability that only the curve shows them.
    attack_heard: tuple[float, float] = (0.5, 1.0)
    false_attacks: float = 0.6
    no_attack: float = 0.2


@dataclass(frozen=True)
class Recorded:
    """How targets are made: from a score as written, or as the tracked melody of a recording."""

    # Share that is drawn as written; of these, share without known attacks.
    score: float = 0.6
    no_attack: float = 0.25
    # The singer of a recording is better than those who hum.
    singing: Singing = field(default_factory=lambda: Singing(clumsiness=(0.1, 0.5), pace=0.0))
    # Probability that instruments are taken for the voice in its rests; stretches a second, at most, in which they are
    # over it, and in which nothing is heard.
    filled_rests: float = 0.5
    taken_over: float = 0.5
    holes: float = 0.3


@dataclass(frozen=True)
class Settings:
    """What a checkpoint was made with. The defaults train on two cores; `Settings.paper` is the paper's design."""

    kind: Kind = "short"
    # How much melody a fingerprint hears and how often there is one, seconds.
    window_s: float = WINDOWS["short"][0]
    hop_s: float = WINDOWS["short"][1]
    # Channels of the first stage; the later ones have two, four and eight times as many.
    width: int = SMALL_WIDTH
    # Numbers in a fingerprint.
    dimensions: int = 128
    # Whether pictures have a second channel that shows where notes begin. Not in the paper.
    attack: bool = True
    # Each window drawn about its own mean pitch and encoded by itself (the paper), or the whole recording at once.
    centred: Centred = "recording"
    # Steps in time of ResNet18's stages; (1, 2, 2, 2) in the original, which is too coarse for windows of a recording.
    time_strides: tuple[int, ...] = (1, 2, 1, 1)
    # The paper's loss, or the one that takes versions as sets of windows of which nothing is aligned.
    loss: Loss = "nt-xent"
    # NT-Xent's temperature (paper) and the multi-similarity miner's margin (the library's; the paper gives none).
    tau: float = 0.05
    epsilon: float = 0.1
    # The segment-set loss: weight of near negatives, and pairs of windows by which two versions are judged.
    gamma: float = 5.0
    best_pairs: int = 3
    # AdamW with a short warm-up, then a cosine down to zero. Choices of this project.
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 30
    # Pairs a step, windows that are compared in each pair, and steps.
    batch: int = 96
    windows: int = 4
    steps: int = 300
    # Precision of the network while it trains; weights and fingerprints are always float32.
    precision: Precision = "bfloat16"
    # Steps between two looks at the validation pairs, and between two saves of the resumable state.
    look_every: int = 100
    # Early stop after this many looks without a better hit rate; 0: never. The songs that are looked at then take part
    # in choosing the checkpoint, so let them be of the training split.
    patience: int = 0
    # Fewer songs than this are not worth training on: a loss needs other songs to push away from.
    least_songs: int = 4
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    # How hums and targets are made from scores, where scores are trained on.
    singing: Singing = field(default_factory=Singing)
    recorded: Recorded = field(default_factory=Recorded)

    def __post_init__(self) -> None:
        if self.kind not in WINDOWS:
            raise ValueError(f"There are the kinds {' and '.join(WINDOWS)}, not {self.kind}.")
        if not all(math.isfinite(value) for value in vars(self).values() if isinstance(value, float)):
            raise ValueError("All settings that are numbers are finite.")
        if min(self.window_s, self.hop_s, self.width, self.batch, self.windows, self.steps, self.look_every) <= 0:
            raise ValueError("Window, hop, width, batch, windows, steps and look_every are above zero.")
        if self.hop_s > self.window_s:
            raise ValueError("The hop is no longer than the window, or what lies between two windows is never heard.")
        if min(self.tau, self.dimensions, *self.time_strides) <= 0:
            raise ValueError("tau, dimensions and time_strides are above zero.")
        for name, known in (("centred", Centred), ("loss", Loss), ("precision", Precision)):
            if getattr(self, name) not in get_args(known):
                raise ValueError(f"{name} is one of {', '.join(get_args(known))}, not {getattr(self, name)}.")
        if len(self.time_strides) != STAGES:
            raise ValueError(f"time_strides has a step for each of the {STAGES} stages.")

    @property
    def channels(self) -> int:
        """Channels of the pictures."""
        return 2 if self.attack else 1

    @property
    def network(self) -> dict[str, Any]:
        """What the encoder is made with."""
        return {
            "width": self.width,
            "dimensions": self.dimensions,
            "channels": self.channels,
            "time_strides": self.time_strides,
        }

    @classmethod
    def of(cls, kind: Kind, **changes: Any) -> Self:
        """The default settings of a kind, with changes by name."""
        if kind not in WINDOWS:
            raise ValueError(f"There are the kinds {' and '.join(WINDOWS)}, not {kind}.")
        window_s, hop_s = WINDOWS[kind]
        return cls(**({"kind": kind, "window_s": window_s, "hop_s": hop_s} | changes))

    @classmethod
    def starter(cls, kind: Kind, **changes: Any) -> Self:
        """What the checkpoints that ship are trained with: as much as two cores do in under two hours."""
        run = {"steps": STARTER_STEPS[kind], "learning_rate": 2e-3 if kind == "short" else 1e-3, "look_every": 250}
        return cls.of(kind, **({"width": STARTER_WIDTH, "warmup_steps": 100} | run | changes))

    @classmethod
    def paper(cls, kind: Kind, **changes: Any) -> Self:
        """The paper's design at full size: one channel, each window by itself, ResNet18 as it was published.

        Batch, steps and learning rate are choices of this project: the paper gives none.
        """
        full = {"width": FULL_WIDTH, "attack": False, "centred": "window", "time_strides": (1, 2, 2, 2), "windows": 1}
        run = {"batch": 128, "steps": 20_000, "learning_rate": 1e-3, "warmup_steps": 500, "look_every": 500}
        return cls.of(kind, **(full | run | changes))

    def changed(self, **changes: Any) -> Self:
        """A copy with changes by name."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON: tuples become lists."""
        return _plain(asdict(self))

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Self:
        """The inverse of as_dict.

        Raises:
            TypeError: where there are settings that this version does not know.
        """
        if "centred" not in plain:  # a checkpoint from before whole recordings were encoded at once
            plain = {**plain, "attack": False, "centred": "window", "time_strides": [1, 2, 2, 2]}
        return _restored(cls, plain)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _restored(made: Any, plain: dict[str, Any]) -> Any:
    """A settings class from plain values, its parts too."""
    parts = {"augmentation": Augmentation, "singing": Singing, "recorded": Recorded}
    values = {}
    for name, value in plain.items():
        if name in parts:
            values[name] = _restored(parts[name], value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return made(**values)
