"""How often words are seen in takes that are sung on words, and in hums that have none. There is little such data.

Sung words: vocadito's voices (Tagalog, English) and the vocal stems of two songs. Spoken: one recording, which is not
what the limits are for. No words: henter's, hum2sol's and the "da" recording; and the simulated singer, which is
synthetic.

Leave one recording out: each limit is set again between the others (in the middle, in ratio, of the highest hum and the
lowest sung words; real recordings and simulated takes alike) and tried on the one left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from ml_worker.audio.decode import decode
from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import render_original, sing, tunes
from ml_worker.judging import thresholds as limit
from ml_worker.judging.measure.data import VOICES
from ml_worker.judging.measure.spoiled import called, changed, gain, power_db
from ml_worker.judging.reasons import words_reason
from ml_worker.judging.words import WordSigns, word_signs

STEMS, VOCALS = ("easton_ellises_falcon69", "music_delta_80s_rock"), 4
"""Stem files of separation/, and which of their streams has the vocals."""
SPEECH = "alignment/offset/timbl_1.mp3"
CUTS_S = (8.0, 5.0)
"""Recordings are cut into takes of about these lengths, seconds: a long and a short fragment's."""
LEAST_HISS = 1e-3
"""What no hiss counts as, so that a middle in ratio exists: one frame of 16 s."""


@dataclass(frozen=True)
class WordTake:
    """A take of a recording. kind: sung words, spoken, no words, or simulated (without words)."""

    recording: str
    kind: str
    sound: Sound
    signs: WordSigns


def recordings(data: Path) -> Iterator[tuple[str, str, Sound]]:
    """Name, kind and sound of each real recording."""
    for name in VOICES:
        yield Path(name).stem, "sung words" if "vocadito" in name else "no words", decode(data / name)
    for name in STEMS:
        yield name, "sung words", stream(data / "separation" / f"{name}.stem.mp4", VOCALS)
    yield Path(SPEECH).stem, "spoken", decode(data / SPEECH)


def stream(path: Path, number: int) -> Sound:
    """One audio stream of a file with several."""
    with av.open(str(path)) as container:
        source = container.streams.audio[number]
        blocks = [frame.to_ndarray() for frame in container.decode(source)]
    samples = np.concatenate(blocks, axis=1)
    scale = 1.0 if samples.dtype.kind == "f" else 1 / 32768
    return Sound((samples * scale).astype(np.float32), source.rate)


def word_takes(data: Path, numbers: range, cut_s: float) -> list[WordTake]:
    takes = []
    for name, kind, sound in recordings(data):
        count = max(1, round(sound.duration_s / cut_s))
        for part in range(count):
            length_s = sound.duration_s / count
            takes.append(signed(name, kind, sound.cut(part * length_s, (part + 1) * length_s)))
    for number in numbers:
        notes = render_original(tunes()[number]).phrase_notes(0)
        for seed in range(3):
            sung = sing(notes, seed=100 * number + seed, style="along" if seed else "free")
            takes.append(signed(f"simulated {number}", "simulated", sung.sound))
    return takes


def signed(name: str, kind: str, sound: Sound) -> WordTake:
    return WordTake(name, kind, sound, word_signs(sound, track_melody(sound)) or WordSigns(0.0, 0.0))


def left_out(takes: list[WordTake], name: str) -> list[bool]:
    """Whether each take of a recording is flagged by limits that are set on all others."""
    others = [take for take in takes if take.recording != name and take.kind != "spoken"]
    limits = []
    for sign in ("vowel_change_db", "hiss_share"):
        of_words = [getattr(take.signs, sign) for take in others if take.kind == "sung words"]
        of_hums = [getattr(take.signs, sign) for take in others if take.kind != "sung words"]
        limits.append(np.sqrt(max(LEAST_HISS, min(of_words)) * max(LEAST_HISS, max(of_hums))))
    mine = [take.signs for take in takes if take.recording == name]
    return [signs.vowel_change_db >= limits[0] and signs.hiss_share >= limits[1] for signs in mine]


def measure_words(data: Path, numbers: range) -> None:
    """Flags by kind, with the limits as they stand, left out, and of the takes made worse."""
    print(f"\nwords: limits {limit.WORDS_VOWEL_CHANGE_DB} dB of vowel change, {limit.WORDS_HISS_SHARE:.1%} of hiss")
    for cut_s in CUTS_S:
        takes = word_takes(data, numbers, cut_s)
        print(f"takes of about {cut_s:.0f} s")
        for kind in dict.fromkeys(take.kind for take in takes):
            print(line(kind, takes))


def line(kind: str, takes: list[WordTake]) -> str:
    own = [take for take in takes if take.kind == kind]
    names = list(dict.fromkeys(take.recording for take in own))
    changes, hisses = ([getattr(take.signs, sign) for take in own] for sign in ("vowel_change_db", "hiss_share"))
    out = [flag for name in names for flag in left_out(takes, name)]
    rng = np.random.default_rng(0)
    noisy = [flagged(with_noise(take.sound, 20, rng)) for take in own]
    narrow = [flagged(called(take.sound, 8000)) for take in own]
    seen = sum(bool(words_reason(take.signs)) for take in own)
    return (
        f"{kind:12}{len(own):4} takes of {len(names):2}: {seen:3} flagged"
        f", {sum(out)} left out, {sum(noisy)} in noise 20 dB down, {sum(narrow)} by telephone"
        f"; vowel change {min(changes):.2f} to {max(changes):.2f} dB, hiss {min(hisses):.2%} to {max(hisses):.2%}"
    )


def flagged(sound: Sound) -> bool:
    return words_reason(word_signs(sound, track_melody(sound))) is not None


def with_noise(sound: Sound, down_db: float, rng: np.random.Generator) -> Sound:
    mono = sound.mono()
    return changed(sound, mono + gain(power_db(mono) - down_db) * rng.standard_normal(len(mono)))
