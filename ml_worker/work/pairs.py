"""Keeps what was seen of a mined pair: what is odd about it, and the picture of it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ml_worker.audio.melody import Melody
from ml_worker.mining.correlation import MASKED
from ml_worker.mining.extract import SEARCHED_AGAIN_S, Pair, Watched
from ml_worker.mining.refine import FRAME_S, align_finely, pitch_at
from ml_worker.models import MinedPair
from recordings.models import Recording
from recordings.storage import put

# The largest side of a stored map, cells: as many as a screen shows.
LARGEST_SIDE = 800
# A pair is the same recording if this much of both is one passage at one tempo and in one key.
SAME_SHARE, SAME_TEMPO, SAME_KEY_ST = 0.9, 0.01, 0.25
# And if half of the frames that both sing are no farther apart, semitones: one recording that went through two lossy
# codecs and was tracked twice has up to 0.09, a second take of the same notes to the same beat more than 0.12.
SAME_PITCH_ST = 0.1


def store(
    original: Recording,
    cover: Recording,
    pair: Pair,
    watched: Watched,
    checkpoint: str,
    took_s: float,
    *,
    lines_found: bool = False,
) -> MinedPair:
    """The row of a pair, with its picture, in place of what was seen before.

    Args:
        lines_found: whether fragments were found by themselves, outside of any passage.
    """
    longest = max(watched.kept, key=lambda one: one.b[1] - one.b[0], default=None)
    facts: dict[str, Any] = {
        "checkpoint": checkpoint,
        "settings": pair.settings.as_dict(),
        "finding": finding_of(pair, watched, lines_found),
        "covered_share": covered_share(pair, watched),
        "tempo_ratio": longest.tempo_ratio if longest else None,
        "transposition": longest.transposition if longest else None,
        "was_spared": watched.was_spared,
        "took_s": took_s,
    }
    before = MinedPair.objects.filter(original=original, cover=cover).values_list("finding", flat=True).first()
    if before != facts["finding"]:
        facts |= {"looked_by": None, "looked_at": None}  # somebody kept it for what it is no more
    row, _ = MinedPair.objects.update_or_create(original=original, cover=cover, defaults=facts)
    put(row.picture, "pair.npz", Picture.of(pair, watched).to_bytes())
    row.save(update_fields=["picture"])
    return row


def finding_of(pair: Pair, watched: Watched, lines_found: bool = False) -> str:
    """Whether the pair is what it is said to be."""
    if not watched.kept:
        return MinedPair.Finding.COVER if lines_found else MinedPair.Finding.NOTHING
    return MinedPair.Finding.SAME if is_same_recording(pair, watched) else MinedPair.Finding.COVER


def is_same_recording(pair: Pair, watched: Watched) -> bool:
    """Whether all of both is heard at one tempo, in one key and to the same pitch: nobody sings so exactly twice."""
    heard_s = [melody.voiced.sum() * melody.hop_s for melody in pair.melodies]
    if abs(heard_s[0] - heard_s[1]) > (1 - SAME_SHARE) * max(heard_s) or covered_share(pair, watched) < SAME_SHARE:
        return False
    in_time_and_key = all(
        abs(one.tempo_ratio - 1) <= SAME_TEMPO and abs(one.transposition or 0) <= SAME_KEY_ST for one in watched.kept
    )
    return in_time_and_key and apart_st(pair, watched) <= SAME_PITCH_ST


def apart_st(pair: Pair, watched: Watched) -> float:
    """The median distance of both curves along what was found, semitones; infinite where nothing was."""
    fine = [align_finely(*pair.melodies, passage, SEARCHED_AGAIN_S) for passage in watched.passages]
    apart = [np.abs(np.diff(one.pitches[:, one.is_sung], axis=0)).ravel() for one in fine if one]
    return float(np.median(np.concatenate(apart))) if apart else np.inf


def covered_share(pair: Pair, watched: Watched) -> float:
    """The share of the cover's voiced seconds that lie in what was found, 0..1."""
    cover = pair.melodies[1]
    at_s = np.arange(len(cover.voiced)) * cover.hop_s
    inside = np.zeros(len(at_s), dtype=bool)
    for one in watched.kept:
        inside |= (at_s >= one.b[0]) & (at_s < one.b[1])
    return float(inside[cover.voiced].mean()) if cover.voiced.any() else 0.0


@dataclass(frozen=True)
class Picture:
    """A mined pair as it is drawn.

    Attributes:
        map: uint8 (I, J), the best correlation from 0 (the floor and below) to 255 (1); rows are the original's.
        cell_s: seconds of the original and of the cover from cell to cell.
        floor: r that is drawn as nothing.
        courses: for each passage (N, 2), seconds of the original and of the cover.
        curves: for both the pitch every `FRAME_S`, MIDI semitones, NaN where unvoiced.
    """

    map: NDArray[np.uint8]
    cell_s: tuple[float, float]
    floor: float
    courses: list[NDArray[np.float64]]
    curves: tuple[NDArray[np.float32], NDArray[np.float32]]

    @classmethod
    def of(cls, pair: Pair, watched: Watched) -> Self:
        shown, (down, right) = reduced(watched.map.correlation)
        above = (np.maximum(shown, watched.floor) - watched.floor) / max(1e-6, 1 - watched.floor)
        hop_s = watched.map.hop_s
        return cls(
            map=np.rint(255 * np.clip(above, 0, 1)).astype(np.uint8),
            cell_s=(hop_s * down, hop_s * right),
            floor=watched.floor,
            courses=[np.column_stack([one.original_s, one.cover_s]) for one in watched.passages],
            curves=tuple(curve_of(melody) for melody in pair.melodies),
        )

    def to_bytes(self) -> bytes:
        """As an npz, without any pickle in it."""
        file = io.BytesIO()
        courses = {f"course{number}": course for number, course in enumerate(self.courses)}
        curves = {"original": self.curves[0], "cover": self.curves[1]}
        np.savez_compressed(file, map=self.map, cell_s=self.cell_s, floor=self.floor, **courses, **curves)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of to_bytes."""
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            courses = [stored[f"course{number}"] for number in range(sum("course" in name for name in stored.files))]
            cell_s = tuple(float(one) for one in stored["cell_s"])
            curves = stored["original"], stored["cover"]
            return cls(stored["map"], cell_s, float(stored["floor"]), courses, curves)


def reduced(correlation: NDArray[np.float32]) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """The map in no more cells than are shown, each the highest of what it stands for, and how many it stands for."""
    if not correlation.size:
        return correlation, (1, 1)
    down, right = (-(-side // LARGEST_SIDE) for side in correlation.shape)
    rows, columns = (-(-side // step) for side, step in zip(correlation.shape, (down, right), strict=True))
    padded = np.full((rows * down, columns * right), MASKED, dtype=np.float32)
    padded[: correlation.shape[0], : correlation.shape[1]] = correlation
    return padded.reshape(rows, down, columns, right).max(axis=(1, 3)), (down, right)


def curve_of(melody: Melody) -> NDArray[np.float32]:
    """The pitch every `FRAME_S`."""
    return pitch_at(melody, np.arange(0, melody.duration_s, FRAME_S)).astype(np.float32)
