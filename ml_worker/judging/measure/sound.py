"""What each limit of the sound refuses and lets pass: takes, real and simulated, made worse by a known amount."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import render_original, sing, tunes
from ml_worker.catalogue.singer import room_noise
from ml_worker.judging.judgement import Reason
from ml_worker.judging.measure import spoiled
from ml_worker.judging.measure.data import SHORTEST_PHRASE_S, VOICES
from ml_worker.judging.quality import measure_take
from ml_worker.judging.reasons import sound_reasons
from ml_worker.judging.thresholds import SHORTEST_TAKE_S

Kind = Literal["good", "between", "bad"]

CUT_S = 8.0
"""Real recordings are cut into takes of about this length, seconds."""
MICROPHONE_DB = -70.0
"""A microphone's own noise, dB of full scale: a phone's without automatic gain."""
NEAR_ST = 0.5
"""A frame keeps its melody within this many semitones."""


@dataclass(frozen=True)
class BaseTake:
    """A take as it is before it is made worse. real: a person's; else the simulated singer's."""

    name: str
    real: bool
    sound: Sound
    melody: Melody
    voice_db: float


@dataclass(frozen=True)
class Trial:
    """One way to make a take worse.

    Attributes:
        limit: the reason's code that is asked for.
        name: what is done.
        kind: good, where a reason would be wrong; bad, where none would be; between, where it may only be told.
        spoil: does it.
        told_is_enough: whether a bad take need only be told.
    """

    limit: str
    name: str
    kind: Kind
    spoil: Callable[[BaseTake, np.random.Generator], Sound]
    told_is_enough: bool = False


@dataclass(frozen=True)
class Outcome:
    """What was said of a spoiled take.

    Attributes:
        refused, told: for the limit in question.
        otherwise: refused for another reason only.
        kept: share of its melody that is still heard; None of a take that was cut.
    """

    real: bool
    refused: bool
    told: bool
    otherwise: bool
    kept: float | None


# --- takes


def real_takes(data: Path) -> Iterator[BaseTake]:
    for name in VOICES:
        sound = decode(data / name)
        count = max(1, round(sound.duration_s / CUT_S))
        for part in range(count):
            length_s = sound.duration_s / count
            yield base_take(f"{Path(name).stem} {part}", True, sound.cut(part * length_s, (part + 1) * length_s))


def simulated_takes(numbers: range) -> Iterator[BaseTake]:
    """The first phrase that is long enough of each starter tune, hummed along and free by turns. Synthetic."""
    for number in numbers:
        tune = render_original(tunes()[number])
        long = [k for k, (start_s, end_s) in enumerate(tune.phrases) if end_s - start_s >= SHORTEST_PHRASE_S]
        for phrase in long[:1]:
            take = sing(tune.phrase_notes(phrase), seed=number, style="along" if number % 2 else "free")
            yield base_take(f"simulated {number}", False, take.sound)


def base_take(name: str, real: bool, sound: Sound) -> BaseTake:
    sound = spoiled.at_peak(sound)
    melody = track_melody(sound)
    return BaseTake(name, real, sound, melody, measure_take(sound, melody).level_db)


def voiced_samples(take: BaseTake) -> NDArray[np.bool_]:
    """The melody's voicing of each sample, (N,)."""
    frame = np.arange(take.sound.frames) / take.sound.sample_rate / take.melody.hop_s
    return take.melody.voiced[np.clip(np.rint(frame).astype(int), 0, len(take.melody.voiced) - 1)]


# --- trials


def trials() -> list[Trial]:
    return [
        *level_trials(),
        *clipping_trials(),
        *noise_trials(),
        *dropout_trials(),
        *band_trials(),
        *silence_trials(),
        *length_trials(),
    ]


def level_trials() -> list[Trial]:
    def quiet(level_db: float, take: BaseTake, rng: np.random.Generator) -> Sound:
        return spoiled.at_level(take.sound, level_db, take.voice_db, MICROPHONE_DB, rng)

    kinds: dict[int, Kind] = {-25: "good", -35: "good", -40: "good", -45: "between", -55: "bad", -60: "bad", -65: "bad"}
    return [Trial("too_quiet", f"voice at {db} dBFS", kind, partial(quiet, db)) for db, kind in kinds.items()]


def clipping_trials() -> list[Trial]:
    def driven(over_db: float, down_db: float, take: BaseTake, _: np.random.Generator) -> Sound:
        return spoiled.driven(take.sound, over_db, down_db)

    kinds: dict[float, Kind] = {
        -1: "good",
        0: "good",
        1: "between",
        3: "between",
        6: "bad",
        9: "bad",
        12: "bad",
        20: "bad",
    }
    plain = [Trial("clipped", f"{db} dB over full scale", kind, partial(driven, db, 0)) for db, kind in kinds.items()]
    later = [
        Trial("clipped", f"12 dB over, then turned down {db} dB", "bad", partial(driven, 12, db)) for db in (1, 6, 12)
    ]
    return [*plain, *later]


def noise_trials() -> list[Trial]:
    def noisy(snr_db: float, white: bool, take: BaseTake, rng: np.random.Generator) -> Sound:
        return spoiled.noisy(take.sound, snr_db, take.voice_db, rng, white=white)

    kinds: dict[int, Kind] = {30: "good", 20: "good", 12: "between", 9: "between", 3: "bad", 0: "bad", -3: "bad"}
    return [
        Trial("noise", f"{'white' if white else 'room'} noise {db} dB under the voice", kind, partial(noisy, db, white))
        for white in (False, True)
        for db, kind in kinds.items()
    ]


def dropout_trials() -> list[Trial]:
    def holed(hole_s: float, total_s: float, take: BaseTake, rng: np.random.Generator) -> Sound:
        return spoiled.holed(take.sound, voiced_samples(take), hole_s, total_s, rng)

    def gated(take: BaseTake, _: np.random.Generator) -> Sound:
        return spoiled.gated(take.sound)

    kinds: dict[tuple[float, float], Kind] = {
        (0.00267, 0.00267): "between",
        (0.005, 0.01): "between",
        (0.02, 0.06): "between",
        (0.02, 0.3): "bad",
        (0.1, 0.3): "bad",
        (0.1, 0.6): "bad",
    }
    holes = [
        Trial(
            "dropouts",
            f"holes of {hole_s * 1000:.1f} ms, {total_s * 1000:.1f} ms in all",
            kind,
            partial(holed, hole_s, total_s),
        )
        for (hole_s, total_s), kind in kinds.items()
    ]
    return [Trial("dropouts", "as recorded", "good", plain), Trial("dropouts", "pauses gated", "good", gated), *holes]


def band_trials() -> list[Trial]:
    def called(rate: int, take: BaseTake, _: np.random.Generator) -> Sound:
        return spoiled.called(take.sound, rate)

    def low_passed(hz: float, take: BaseTake, _: np.random.Generator) -> Sound:
        return spoiled.low_passed(take.sound, hz)

    def gated(take: BaseTake, _: np.random.Generator) -> Sound:
        return spoiled.gated(take.sound)

    return [
        Trial("narrow_band", "as recorded", "good", plain),
        Trial("narrow_band", "pauses gated", "good", gated),
        Trial("narrow_band", "nothing over 10 kHz (a codec)", "good", partial(low_passed, 10_000)),
        Trial("narrow_band", "a call at 16 kHz", "bad", partial(called, 16_000), told_is_enough=True),
        Trial("narrow_band", "a call at 8 kHz", "bad", partial(called, 8_000), told_is_enough=True),
    ]


def silence_trials() -> list[Trial]:
    def room(level_db: float, take: BaseTake, rng: np.random.Generator) -> Sound:
        return spoiled.changed(take.sound, spoiled.gain(level_db) * room_noise(take.sound.frames, rng))

    def hiss(level_db: float, take: BaseTake, rng: np.random.Generator) -> Sound:
        return spoiled.changed(take.sound, spoiled.gain(level_db) * rng.standard_normal(take.sound.frames))

    def quiet(level_db: float, take: BaseTake, rng: np.random.Generator) -> Sound:
        return spoiled.at_level(take.sound, level_db, take.voice_db, MICROPHONE_DB, rng)

    return [
        Trial("silent", "voice at -40 dBFS", "good", partial(quiet, -40)),
        Trial("silent", "voice at -48 dBFS", "good", partial(quiet, -48)),
        *(Trial("silent", f"no voice, a room at {db} dBFS", "bad", partial(room, db)) for db in (-75, -65, -55)),
        *(Trial("noise", f"no voice, a room at {db} dBFS", "bad", partial(room, db)) for db in (-45, -30, -15)),
        *(Trial("noise", f"no voice, white noise at {db} dBFS", "bad", partial(hiss, db)) for db in (-45, -30, -15)),
    ]


def length_trials() -> list[Trial]:
    def first(seconds: float, take: BaseTake, _: np.random.Generator) -> Sound:
        start_s = float(np.argmax(take.melody.voiced)) * take.melody.hop_s
        return take.sound.cut(start_s, start_s + seconds)

    return [
        Trial("cut_off", "as recorded", "good", plain),
        *(
            Trial("cut_off", f"the first {seconds} s of voice", "bad", partial(first, seconds))
            for seconds in (0.3, 0.6, 0.9)
        ),
    ]


def plain(take: BaseTake, _: np.random.Generator) -> Sound:
    return take.sound


# --- what comes out


def tried(take: BaseTake, seed: int) -> list[Outcome]:
    """The outcome of every trial on a take, in the order of `trials`."""
    outcomes = []
    for number, trial in enumerate(trials()):
        sound = trial.spoil(take, np.random.default_rng([seed, number]))
        melody = (
            track_melody(sound) if sound.duration_s >= SHORTEST_TAKE_S else Melody(0.016, *[np.zeros(0)] * 3, "none")
        )
        reasons = sound_reasons(measure_take(sound, melody), None, None)
        outcomes.append(outcome(take, trial, reasons, melody_kept(take.melody, melody)))
    return outcomes


def outcome(take: BaseTake, trial: Trial, reasons: list[Reason], kept: float | None) -> Outcome:
    refused = any(reason.fatal and reason.code == trial.limit for reason in reasons)
    otherwise = not refused and any(reason.fatal for reason in reasons)
    told = not refused and any(reason.code == trial.limit for reason in reasons)
    return Outcome(take.real, refused, told, otherwise, kept)


def melody_kept(before: Melody, after: Melody) -> float | None:
    """Share of the voiced frames that have their pitch still; None of takes that were cut."""
    if len(before.voiced) != len(after.voiced):
        return None
    near = np.abs(after.pitch() - before.pitch()) < NEAR_ST
    return float(near.sum() / max(1, before.voiced.sum()))


def measure_sound(data: Path, numbers: range, processes: int) -> None:
    """A line for each trial and the error rates of each limit."""
    takes = [*real_takes(data), *simulated_takes(numbers)]
    # Workers of their own: the tracker has run here, and its threads do not live on in a fork.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        outcomes = list(pool.map(tried, takes, range(len(takes))))
    print(f"\nlimits of the sound: {sum(take.real for take in takes)} real takes, {len(takes)} with the simulated ones")
    print(f"{'limit':12}{'what is done':46}{'':9}{'refused':>9}{'otherwise':>12}{'told':>9}  melody kept")
    for number, trial in enumerate(trials()):
        print(line(trial, [of[number] for of in outcomes]))
    for limit in dict.fromkeys(trial.limit for trial in trials()):
        print(
            summary(
                limit, [(trial, of[n]) for of in outcomes for n, trial in enumerate(trials()) if trial.limit == limit]
            )
        )


def line(trial: Trial, outcomes: list[Outcome]) -> str:
    """A trial's outcomes, the real takes' first, then all."""
    counts = []
    for name in ("refused", "otherwise", "told"):
        real = sum(getattr(each, name) for each in outcomes if each.real)
        counts.append(f"{real} / {sum(getattr(each, name) for each in outcomes)}")
    kept = [each.kept for each in outcomes if each.kept is not None]
    share = f"{np.median(kept):6.2f}" if kept else ""
    return f"{trial.limit:12}{trial.name:46}{trial.kind:9}{counts[0]:>9}{counts[1]:>12}{counts[2]:>9}  {share}"


def summary(limit: str, outcomes: list[tuple[Trial, Outcome]]) -> str:
    """The errors of a limit on both sides."""
    good = [each for trial, each in outcomes if trial.kind == "good"]
    kept = [each for trial, each in outcomes if trial.kind != "bad"]
    bad = [(trial, each) for trial, each in outcomes if trial.kind == "bad"]
    passed = [
        each for trial, each in bad if not (each.refused or each.otherwise or (trial.told_is_enough and each.told))
    ]
    parts = [f"{of_real(kept, [each for each in kept if each.refused])} usable takes refused"]
    parts += [f"{of_real(good, [each for each in good if each.told])} good ones told"]
    parts += [f"{of_real([each for _, each in bad], passed)} bad ones pass"]
    return f"{limit}: {', '.join(parts)}"


def of_real(all_of: list[Outcome], some: list[Outcome]) -> str:
    """How many of them, and how many of the real takes among them."""
    real, some_real = sum(each.real for each in all_of), sum(each.real for each in some)
    return f"{len(some)} of {len(all_of)} ({some_real} of {real} real)"
