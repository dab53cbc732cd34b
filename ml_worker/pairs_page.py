"""What the pages of mined pairs show: one pair as a picture and in words, and the pairs in which something is odd."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.urls import reverse
from numpy.typing import NDArray

from ml_worker import song_page
from ml_worker.chain import plural
from ml_worker.mining.refine import FRAME_S
from ml_worker.models import MinedPair
from ml_worker.work.pairs import Picture
from recordings.models import CoverFragment, Recording

# A pitch curve along an edge has this many points at most: as many as a screen has dots.
CURVE_POINTS = 1200
# What chance does more seldom is not told apart.
SELDOM = 1e-9
# States of a cover fragment in the words of the page, in the order of its legend.
STATE_WORDS = {
    CoverFragment.State.MATCHED: "matched by the machine",
    CoverFragment.State.DOUBTFUL: "to be double-checked",
    CoverFragment.State.ACCEPTED: "accepted by people",
    CoverFragment.State.REJECTED: "rejected by people",
}
# Where a recording came from.
SOURCE_WORDS = {
    Recording.Source.FILE: "from a file",
    Recording.Source.YOUTUBE: "from YouTube",
    Recording.Source.GENERATED: "rendered by CHAD",
}
# What the evidence is called.
EVIDENCE_WORDS = {
    "chance": "As good by chance, in two unrelated recordings",
    "mismatch": "Curves apart, 0 the same, 1 not at all",
    "agreement_s": "Curves agree more than by chance",
    "notes": "Notes sung",
}


# --- names and words


def clock(seconds: float) -> str:
    """A place in a recording: 1:04.5."""
    minutes, rest = divmod(round(10 * seconds), 600)
    return f"{minutes}:{rest / 10:04.1f}"


def interval(start_s: float, end_s: float) -> str:
    return f"{clock(start_s)}–{clock(end_s)}"


def semitones(transposition: float | None) -> str:
    """How far the cover is transposed: +3.0 semitones."""
    if transposition is None:
        return "unknown"
    return f"{transposition:+.1f} semitones".replace("-", "−")


# --- one pair


@dataclass(frozen=True)
class ShownFragment:
    """A fragment of the original that was found in the cover.

    Attributes:
        phrase: its number among the phrases that are hummed; None of one that was removed.
    """

    row: CoverFragment
    phrase: int | None

    @property
    def name(self) -> str:
        return f"Phrase {self.phrase}" if self.phrase else "A phrase that was removed"

    @property
    def state_words(self) -> str:
        return STATE_WORDS[self.row.state]

    @property
    def in_original(self) -> str:
        return interval(self.row.fragment.start_s, self.row.fragment.end_s)

    @property
    def in_cover(self) -> str:
        return interval(self.row.start_s, self.row.end_s)

    @property
    def transposition(self) -> str:
        return semitones(self.row.transposition)

    @property
    def probability(self) -> str:
        """That it is right; "–" of one that was mined before there were probabilities."""
        return "–" if self.row.probability is None else f"{100 * self.row.probability:.0f} %"

    @property
    def null_level(self) -> str:
        return "–" if self.row.null_level is None else f"{self.row.null_level:.2f}"

    @property
    def evidence(self) -> list[tuple[str, str]]:
        """What its probability comes from."""
        values = {name: evidence_value(name, value) for name, value in self.row.evidence.items()}
        return [(words, values[name]) for name, words in EVIDENCE_WORDS.items() if name in values]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """All its numbers by name."""
        return [
            ("In the original", self.in_original),
            ("In the cover", self.in_cover),
            ("Correlation", f"{self.row.correlation:.2f}"),
            ("Null level", self.null_level),
            ("Probability", self.probability),
            ("Tempo", f"× {self.row.tempo_ratio:.2f}"),
            ("Transposition", self.transposition),
            *self.evidence,
        ]

    @property
    def original_audio(self) -> str:
        return reverse("fragment-audio", args=[self.row.fragment_id])

    @property
    def cover_audio(self) -> str:
        return reverse("cover-fragment-audio", args=[self.row.pk])

    def as_drawn(self) -> dict[str, Any]:
        """For the page's script."""
        return {
            "id": str(self.row.pk),
            "name": self.name,
            "state": self.row.state,
            "state_words": self.state_words,
            "original": [self.row.fragment.start_s, self.row.fragment.end_s],
            "cover": [self.row.start_s, self.row.end_s],
            "facts": self.facts,
            "audio": {"original": self.original_audio, "cover": self.cover_audio},
        }


def evidence_value(name: str, value: float) -> str:
    """One number of the evidence, with its unit."""
    if name == "chance":
        return chance_in_words(value)
    return {"agreement_s": f"{value:.1f} s", "notes": f"{value:.0f}"}.get(name, f"{value:.2f}")


def chance_in_words(chance: float) -> str:
    """How often chance does as well: 2.5, or 1 in 4,000."""
    if chance >= 0.1:
        return f"{chance:.1f}"
    return f"1 in {1 / chance:,.0f}" if chance > SELDOM else f"under 1 in {1 / SELDOM:,.0f}"


def fragments_of(pair: MinedPair) -> list[ShownFragment]:
    """What was found of the original in the cover, in the order of the cover."""
    found = pair.cover.cover_fragments.filter(fragment__recording=pair.original).select_related("fragment")
    numbers = song_page.phrase_numbers(pair.original)
    return [ShownFragment(row, numbers.get(row.fragment_id)) for row in found.order_by("start_s", "end_s")]


def picture_of(pair: MinedPair) -> Picture | None:
    """What is drawn of it; None where nothing was kept."""
    if not pair.picture:
        return None
    with pair.picture.open() as stored:
        return Picture.from_bytes(stored.read())


def as_drawn(pair: MinedPair, picture: Picture, fragments: list[ShownFragment]) -> dict[str, Any]:
    """Everything of the picture but the map's cells, for the page's script; seconds."""
    rows, columns = picture.map.shape
    down_s, right_s = picture.cell_s
    # A pair that is mined anew has another picture under the same address.
    address = f"{reverse('pair-map', args=[pair.pk])}?of={pair.created_at.timestamp():.0f}"
    return {
        "map": address if picture.map.size else None,
        "map_s": {"original": rows * down_s, "cover": columns * right_s},
        "courses": [np.round(course, 2).tolist() for course in picture.courses],
        "sides": {
            "original": side(pair.original, picture.curves[0]),
            "cover": side(pair.cover, picture.curves[1]),
        },
        "fragments": [one.as_drawn() for one in fragments],
    }


def side(recording: Recording, curve: NDArray[np.float32]) -> dict[str, Any]:
    """One recording with its pitch curve in few points: semitones, None where unvoiced."""
    step = max(1, -(-len(curve) // CURVE_POINTS))
    pitch = [None if np.isnan(one) else round(float(one), 1) for one in curve[::step]]
    return {"duration_s": recording.duration_s or len(curve) * FRAME_S, "hop_s": step * FRAME_S, "pitch": pitch}


def what_was_seen(pair: MinedPair, picture: Picture | None, fragments: list[ShownFragment]) -> list[str]:
    """What each step of mining saw, in sentences."""
    told = [*map_in_words(pair, picture), *passages_in_words(pair, picture)]
    # Covers have no phrases of their own.
    return told if pair.original.kind == Recording.Kind.COVER else [*told, fragments_in_words(fragments)]


def map_in_words(pair: MinedPair, picture: Picture | None) -> list[str]:
    """The first step."""
    if pair.was_spared:
        return ["The pre-filter found no place in common, so no map was made: that spared most of the work."]
    if picture is None or not picture.map.size:
        return ["No map was kept."]
    return [
        "Every place of the original was compared with every place of the cover, at its best tempo. The stronger a "
        f"place of the map is drawn, the higher its correlation; below r = {picture.floor:.2f}, which unrelated places "
        "rarely exceed, nothing is drawn. A place stands where its few seconds begin."
    ]


def passages_in_words(pair: MinedPair, picture: Picture | None) -> list[str]:
    """The steps from places to passages: chains, smoothed, one at a time, trimmed."""
    courses = picture.courses if picture else []
    if not courses:
        return ["No chain of places went on long enough in order in both to be a passage."]
    played = ", ".join(
        f"{interval(course[0, 0], course[-1, 0])} at {interval(course[0, 1], course[-1, 1])}" for course in courses
    )
    number = len(courses)
    return [
        f"{number} {plural(number, 'passage goes', 'passages go')} on in order in both, trimmed to where the pitch "
        f"curves agree (of the original, at: of the cover): {played}. What was kept of "
        f"{plural(number, 'it', 'them')} covers {100 * pair.covered_share:.0f} % of what is sung in the cover."
    ]


def fragments_in_words(fragments: list[ShownFragment]) -> str:
    """The last steps: the phrases that are hummed, looked for in the passages and judged."""
    if not fragments:
        return "None of the phrases that are hummed was found."
    counts = Counter(one.row.state for one in fragments)
    told = ", ".join(f"{counts[state]} {words}" for state, words in STATE_WORDS.items() if counts[state])
    return f"The phrases that are hummed were found in {len(fragments)} {plural(len(fragments), 'place')}: {told}."


def as_png(values: NDArray[np.uint8]) -> bytes:
    """A white image that is as opaque as the values say: a mask, so that the page chooses the colour.

    Args:
        values: (I, J), rows from the top; at least one of each.
    """
    rows, columns = values.shape
    head = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)  # 8 bits a place, numbers of a palette
    lines = np.column_stack([np.zeros(rows, dtype=np.uint8), values])  # each line begins with its filter: none
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            png_chunk(b"IHDR", head),
            png_chunk(b"PLTE", b"\xff" * 3 * 256),
            png_chunk(b"tRNS", bytes(range(256))),
            png_chunk(b"IDAT", zlib.compress(lines.tobytes(), level=6)),
            png_chunk(b"IEND", b""),
        ]
    )


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# --- pairs in which something is odd


@dataclass(frozen=True)
class ShownPair:
    """An odd pair, and what its cover is called."""

    row: MinedPair

    @property
    def cover(self) -> str:
        """Who plays it, where it came from, and how long it is: covers of a song may share all but that."""
        cover = self.row.cover
        source = f"YouTube {cover.youtube_id}" if cover.youtube_id else SOURCE_WORDS[cover.source]
        length = f"{clock(cover.duration_s)} long" if cover.duration_s else ""
        return ", ".join(words for words in (cover.artist, source, length) if words)


def to_look_at() -> QuerySet[MinedPair]:
    return with_names(MinedPair.objects.to_look_at())


def kept() -> QuerySet[MinedPair]:
    """Those that somebody looked at and keeps, the latest first."""
    return with_names(MinedPair.objects.looked_at()).order_by("-looked_at")


def with_names(pairs: QuerySet[MinedPair]) -> QuerySet[MinedPair]:
    return pairs.select_related("original__song", "cover__song", "seems_to_be", "looked_by")
