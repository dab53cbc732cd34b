"""Finds what is in two splits under two names: the same sound, however it was encoded or cut, and the same work.

A sound's fingerprint is that of Haitsma & Kalker ("A highly robust audio fingerprinting system", ISMIR 2002): a word
of 32 bits every 11.6 ms, whose bits say whether the difference between two neighbouring bands rose. They hold through
codecs, resampling and level, and two performances of one tune, which never agree to a few milliseconds, differ in near
half of them. Chromaprint, which looks at seconds at once and at pitch classes, takes performances of one tune for one
another and misses short overlaps (docs/experiments-release.md). Free of Django.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from recordings.release.progress import Progress, quiet, share_of

# Haitsma & Kalker's figures: frames of 0.37 s every 11.6 ms, in 33 bands from 300 to 2,000 Hz, where every codec and
# every telephone is good.
RATE = 5_512  # Hz
FRAME = 2_048  # frames of audio at RATE
HOP = 64
BANDS = 33
LOWEST_HZ, HIGHEST_HZ = 300, 2_000
EDGES = np.round(np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 1) * FRAME / RATE).astype(np.intp)
WINDOW = np.hanning(FRAME).astype(np.float32)
# The bits of pauses are chance: what lies so far below the loudest frame is left out (-40 dB).
PAUSE = 1e-4
# Looked at together, so that memory does not grow with the length; frames.
AT_ONCE = 256
BLOCK = 2**16

# Two sounds are one where so large a share of the bits agree, over so many frames in which both sound (1.5 s: what is
# left of an overlap of 3 s with a breath in it). Unrelated sounds agree in half of them; docs/experiments-release.md.
ALIKE = 0.77
FEWEST_FRAMES = 130
# A place is looked at where so many words agree in this many upper bits, or in lower ones: telephones and codecs spoil
# the bands at the ends first.
KEY_BITS = 24
VOTES = 2
# Of one word the next so many clips that have it are looked at: enough to link any number of copies into a chain, and
# a held note does not meet every other one.
NEXT_ONES = 64
CLIPS_AT_ONCE = 16
PLACES_OF_A_PAIR = 3
# Before two clips are compared at a place, so many words of their overlap are: fewer of them agree there than in what
# is one sound, and a comparison costs fifty times as much.
GLANCE = 32
# They lie at uneven distances, so that nothing that comes at even ones, a metronome say, is at all of them.
GLANCES = (np.arange(GLANCE) + np.random.default_rng(1).random(GLANCE)) / GLANCE
FEWEST_GLANCES = 8
SEEMS = 0.65
GLANCES_AT_ONCE = 2**14
SHIFTS = 2**31
# The share of the work that is reading and listening.
LISTENING = 0.9

Words = NDArray[np.uint32]
Row = TypeVar("Row", bound=Mapping[str, str])


@dataclass(frozen=True)
class Fingerprint:
    """A sound as words.

    Attributes:
        words: (N,) one every 11.6 ms; empty for what is shorter than 0.4 s.
        sounds: (N,) whether there is anything to hear, pauses are False.
    """

    words: Words
    sounds: NDArray[np.bool_]

    @classmethod
    def of(cls, samples: NDArray[np.floating], rate: int) -> Self:
        """Of samples (N,) or (N, C) at `rate` Hz."""
        mono = samples.mean(axis=1) if samples.ndim > 1 else samples
        return cls._of_resampled(soxr.resample(mono.astype(np.float32), rate, RATE))

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Of a file that libsndfile reads, block by block. Raises soundfile.LibsndfileError for others."""
        with soundfile.SoundFile(path) as file:
            resampler = soxr.ResampleStream(file.samplerate, RATE, 1, dtype="float32")
            parts = [
                resampler.resample_chunk(np.ascontiguousarray(block.mean(axis=1)))
                for block in file.blocks(BLOCK, dtype="float32", always_2d=True)
            ]
            parts.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        return cls._of_resampled(np.concatenate(parts))

    @classmethod
    def _of_resampled(cls, samples: NDArray[np.float32]) -> Self:
        energies = _energies(np.nan_to_num(samples))
        rises = np.diff(energies[:, :-1] - energies[:, 1:], axis=0) > 0
        words = np.packbits(rises, axis=1, bitorder="little").view("<u4").reshape(-1).astype(np.uint32)
        loudness = energies.sum(axis=1)[1:]
        return cls(words, loudness > PAUSE * loudness.max(initial=0.0))


def _energies(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each frame in each band, (N, BANDS)."""
    if len(samples) < FRAME:
        return np.zeros((1, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    energies = np.empty((len(frames), BANDS), np.float32)
    for start in range(0, len(frames), AT_ONCE):
        spectra = np.fft.rfft(frames[start : start + AT_ONCE] * WINDOW, axis=1)
        powers = spectra.real**2 + spectra.imag**2
        energies[start : start + AT_ONCE] = np.add.reduceat(powers, EDGES, axis=1)[:, :BANDS]
    return energies


def compare(one: Fingerprint, other: Fingerprint, shift: int) -> tuple[float, float]:
    """The share of equal bits where both sound, and how long the two overlap in seconds, if the first word of `other`
    lies at word `shift` of `one`. The share is 0 where too little of both sounds together."""
    start, end = max(0, shift), min(len(one.words), shift + len(other.words))
    if end - start < FEWEST_FRAMES:
        return 0.0, 0.0
    here, there = slice(start, end), slice(start - shift, end - shift)
    both = one.sounds[here] & other.sounds[there]
    sounding = int(both.sum())
    overlap_s = ((end - start) * HOP + FRAME) / RATE
    if sounding < FEWEST_FRAMES:
        return 0.0, overlap_s
    differing = int(np.bitwise_count(one.words[here] ^ other.words[there])[both].sum())
    return 1 - differing / (32 * sounding), overlap_s


class NearDuplicate(NamedTuple):
    """Two clips that are one sound, by their keys: the share of equal bits, 0.5 by chance, and the overlap."""

    one: Hashable
    other: Hashable
    likeness: float
    overlap_s: float


class Index:
    """Clips with their sides of one split or several; near-duplicates on different sides are looked for among them.

    It keeps 5 bytes a word, 430 a second of sound, and five times as much while it looks.
    """

    def __init__(self) -> None:
        self._keys: list[Hashable] = []
        self._sides: list[tuple[str, ...]] = []
        self._prints: list[Fingerprint] = []

    def add(self, key: Hashable, sides: Sequence[str], fingerprint: Fingerprint) -> None:
        """`sides` are the clip's: of each split one, "" where the split does not ask of it. All clips have as many."""
        self._keys.append(key)
        self._sides.append(tuple(sides))
        self._prints.append(fingerprint)

    def leaks(self, progress: Progress = quiet) -> Iterator[NearDuplicate]:
        """Near-duplicates that are on different sides of any split, in the order in which they came."""
        if not self._keys:
            return
        table = _Table(self._prints)
        self._prints = table.prints
        sides = self._numbered_sides()
        for start in range(0, len(self._keys), CLIPS_AT_ONCE):
            clips = range(start, min(len(self._keys), start + CLIPS_AT_ONCE))
            progress(start / len(self._keys), f"Sound {start + 1} of {len(self._keys)}")
            for (one, other), shifts in table.places(clips, sides):
                likeness, overlap_s = max(compare(self._prints[one], self._prints[other], shift) for shift in shifts)
                if likeness >= ALIKE:
                    yield NearDuplicate(self._keys[one], self._keys[other], likeness, overlap_s)

    def _numbered_sides(self) -> NDArray[np.int32]:
        """(clips, splits), 0 for none."""
        numbers = {"": 0}
        return np.array([[numbers.setdefault(side, len(numbers)) for side in sides] for sides in self._sides], np.int32)


class _Places(NamedTuple):
    """Where clips may be one sound, (N,) each: the first word of `other` lies at word `shift` of `one`."""

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    shift: NDArray[np.int64]

    def where(self, which: NDArray[np.bool_] | NDArray[np.intp]) -> _Places:
        return _Places(*(column[which] for column in self))

    def by_pair(self) -> Iterator[tuple[tuple[int, int], set[int]]]:
        """Of places in order of their pairs: the shifts of each, and their neighbours, since a cut does not keep to
        the hops."""
        pairs = np.stack([self.one, self.other], axis=1)
        bounds = np.flatnonzero(np.any(np.diff(pairs, axis=0), axis=1)) + 1
        for start, end in pairwise([0, *bounds.tolist(), len(pairs)]):
            if end > start:
                near = {int(shift) + step for shift in self.shift[start:end] for step in (-1, 0, 1)}
                yield (int(self.one[start]), int(self.other[start])), near


class _Table:
    """All words that sound, with where they are, by their upper bits and again by their lower ones: sorted.

    `prints` are those it was made of, which need not be kept beside it.
    """

    def __init__(self, prints: Sequence[Fingerprint]) -> None:
        self._words = np.concatenate([fingerprint.words for fingerprint in prints])
        self._sounds = np.concatenate([fingerprint.sounds for fingerprint in prints])
        lengths = np.array([len(fingerprint.words) for fingerprint in prints], np.int64)
        self._starts = np.concatenate([[0], np.cumsum(lengths)])
        self._clip_of = np.repeat(np.arange(len(prints), dtype=np.int32), lengths)
        self._entries = self._sorted_entries()
        self.prints = [
            Fingerprint(self._words[start:end], self._sounds[start:end])
            for start, end in pairwise(self._starts.tolist())
        ]

    def _sorted_entries(self) -> NDArray[np.uint64]:
        # Clip by clip into one array, so that nothing lies beside it.
        entries, written = np.empty(2 * np.count_nonzero(self._sounds), np.uint64), 0
        for clip in range(len(self._starts) - 1):
            of_clip = self._entries_of(range(clip, clip + 1))
            entries[written : written + len(of_clip)] = of_clip
            written += len(of_clip)
        entries.sort()
        return entries

    def _entries_of(self, clips: range) -> NDArray[np.uint64]:
        start, end = self._starts[clips.start], self._starts[clips.stop]
        places = np.flatnonzero(self._sounds[start:end]) + start
        words = self._words[places]
        entries = np.empty((2, len(places)), np.uint64)
        entries[0] = words >> np.uint32(32 - KEY_BITS)
        entries[1] = words & np.uint32(2**KEY_BITS - 1) | np.uint32(1 << KEY_BITS)
        entries <<= np.uint64(32)
        entries |= places.astype(np.uint64)
        return entries.reshape(-1)

    def places(self, clips: range, sides: NDArray[np.int32]) -> Iterator[tuple[tuple[int, int], set[int]]]:
        """For these clips and later ones on another side: at which shifts they may be one sound."""
        entries = self._entries_of(clips)
        ranks = np.searchsorted(self._entries, entries)
        found = []
        for step in range(1, NEXT_ONES + 1):
            inside = ranks + step < len(self._entries)
            entries, ranks = entries[inside], ranks[inside]
            others = self._entries[ranks + step]
            same = others >> np.uint64(32) == entries >> np.uint64(32)
            entries, ranks, others = entries[same], ranks[same], others[same]
            found.append(self._packed(clips.start, _positions(entries), _positions(others), sides))
        packed, votes = np.unique(np.concatenate(found), return_counts=True)
        places = _unpacked(clips.start, packed[votes >= VOTES])
        votes = votes[votes >= VOTES]
        seem = self._seem_alike(places)
        yield from _most_voted(places.where(seem), votes[seem]).by_pair()

    def _packed(
        self, first_clip: int, one: NDArray[np.int64], other: NDArray[np.int64], sides: NDArray[np.int32]
    ) -> NDArray[np.uint64]:
        """Places as numbers, which sort quickly: of words at these positions whose clips are on different sides."""
        first, second = self._clip_of[one], self._clip_of[other]
        mine, theirs = sides[first], sides[second]
        apart = ((mine != theirs) & (mine != 0) & (theirs != 0)).any(axis=1)
        first, second = first[apart].astype(np.int64), second[apart].astype(np.int64)
        shifts = (one[apart] - self._starts[first]) - (other[apart] - self._starts[second])
        return ((first - first_clip) << 58 | second << 32 | shifts + SHIFTS).astype(np.uint64)

    def _seem_alike(self, places: _Places) -> NDArray[np.bool_]:
        """(N,) whether a few words that lie evenly over the overlap agree more than by chance."""
        starts = np.maximum(0, places.shift)
        lengths = self._lengths(places.one)
        ends = np.minimum(lengths, places.shift + self._lengths(places.other))
        long_enough = ends - starts >= FEWEST_FRAMES
        seem = np.zeros(len(starts), np.bool_)
        for part in np.array_split(np.flatnonzero(long_enough), max(1, len(starts) // GLANCES_AT_ONCE)):
            here = (starts[part, None] + GLANCES * (ends - starts)[part, None]).astype(np.int64)
            there = here - places.shift[part, None] + self._starts[places.other[part], None]
            here += self._starts[places.one[part], None]
            both = self._sounds[here] & self._sounds[there]
            differing = (np.bitwise_count(self._words[here] ^ self._words[there]) * both).sum(axis=1)
            sounding = both.sum(axis=1)
            seem[part] = (sounding < FEWEST_GLANCES) | (differing <= 32 * (1 - SEEMS) * sounding)
        return seem

    def _lengths(self, clips: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._starts[clips + 1] - self._starts[clips]


def _unpacked(first_clip: int, packed: NDArray[np.uint64]) -> _Places:
    numbers = packed.view(np.int64)
    one, other = (packed >> np.uint64(58)).astype(np.int64) + first_clip, numbers >> 32 & 2**26 - 1
    return _Places(one, other, (numbers & 2**32 - 1) - SHIFTS)


def _most_voted(places: _Places, votes: NDArray[np.int64]) -> _Places:
    """The few places of each pair that have most votes."""
    places = places.where(np.lexsort((-votes, places.other, places.one)))
    is_new = np.ones(len(places.one), np.bool_)
    is_new[1:] = (np.diff(places.one) != 0) | (np.diff(places.other) != 0)
    begun = np.maximum.accumulate(np.where(is_new, np.arange(len(is_new)), 0)) if len(is_new) else is_new
    return places.where(np.arange(len(is_new)) - begun < PLACES_OF_A_PAIR)


def _positions(entries: NDArray[np.uint64]) -> NDArray[np.int64]:
    return (entries & np.uint64(0xFFFFFFFF)).astype(np.int64)


def near_duplicates(folder: Path, rows: Iterable[Row], progress: Progress = quiet) -> Iterator[tuple[Row, Row, float]]:
    """Rows of a release that have the same sound and are in different splits, of songs or of singers.

    Args:
        folder: of the release.
        rows: with `audio`, which lies in the folder, `split` and `singer_split`. What cannot be read is left out: that
            is told where audio is checked.

    Yields:
        Both rows and the share of equal bits, ALIKE to 1.
    """
    heard = [row for row in rows if row["audio"]]
    index = Index()
    for number, row in enumerate(heard):
        progress(LISTENING * number / len(heard), f"Listening to {number + 1} of {len(heard)}")
        try:
            fingerprint = Fingerprint.of_file(folder / row["audio"])
        except soundfile.LibsndfileError:
            continue
        index.add(number, (row["split"], row.get("singer_split", "")), fingerprint)
    for one, other, likeness, _ in index.leaks(share_of(progress, LISTENING, 1.0)):
        yield heard[one], heard[other], likeness


# What is said of a recording and not of the work, in brackets or after a dash.
OF_A_RECORDING = (
    "live|remaster(?:ed)?|mono|stereo|demo|acoustic|unplugged|instrumental|karaoke|radio|single|album|extended|original|"
    "studio|version|edit|mix|remix|cover|session|take|explicit|clean|bonus|official|video|audio|lyrics?|hd|feat|ft|"
    "featuring|with"
)
BRACKETS = re.compile(r"[(\[{<][^()\[\]{}<>]*[)\]}>]")
SAID_AFTER = re.compile(rf"\s[-–—]\s(?=[^-–—]*\b(?:{OF_A_RECORDING})\b)[^-–—]*$", re.IGNORECASE)
SAID_IN_BRACKETS = re.compile(rf"\b(?:{OF_A_RECORDING})\b", re.IGNORECASE)
GUESTS = re.compile(r"\s(?:feat\.?|ft\.?|featuring)\s.*$", re.IGNORECASE)
ARTICLES = frozenset({"the", "a", "an"})
ARTICLE_BEHIND = re.compile(r",\s*(?:the|an?)\s*$")
# A prelude in C# is not the one in C.
SHARP, FLAT = re.compile(r"(?<=\b[a-g])[#♯]"), re.compile(r"(?<=\b[a-g])♭")
# Letters that no decomposition takes apart.
LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})


def same_work(title_a: str, artist_a: str, title_b: str, artist_b: str) -> bool:
    """Whether two songs are one work that was entered twice, by `work_key`."""
    return work_key(title_a, artist_a) == work_key(title_b, artist_b)


def work_key(title: str, artist: str) -> tuple[str, str]:
    """Title and artist as far as they tell a work: equal for one work that was entered twice in two ways of writing.

    Case, accents, punctuation, a leading article, guests ("feat.") and what is said of a recording ("(live)",
    "- Remastered 2009") do not count; other words in brackets and numbers do ("Symphony No. 5" is not "No. 6"). Equal
    titles of other artists are other works, so a cover that was entered as a song of its own is not found.
    """
    # A space before each, so that a title that begins with "Featuring" keeps it.
    work = SAID_AFTER.sub("", GUESTS.sub("", _without_brackets(f" {title}")))
    return _words_of(work, title), _words_of(GUESTS.sub("", _without_brackets(artist)), artist)


def _without_brackets(text: str) -> str:
    return BRACKETS.sub(lambda found: " " if SAID_IN_BRACKETS.search(found[0]) else found[0], text)


def _words_of(bare: str, whole: str) -> str:
    """The words of what is left, or of the whole where nothing is; signs where there are no words at all."""
    return _plain(bare) or bare.strip() or _plain(whole) or whole.strip()


def _plain(text: str) -> str:
    """Words of letters and digits alone, in lower case and without accents; Greek and Chinese stay what they are."""
    spelt = SHARP.sub(" sharp", FLAT.sub(" flat", text.casefold().translate(LETTERS).replace("&", " and ")))
    apart = unicodedata.normalize("NFKD", ARTICLE_BEHIND.sub("", spelt))
    letters = "".join(letter for letter in apart if not unicodedata.combining(letter))
    words = re.findall(r"\w+", re.sub(r"['’‘`´]", "", letters).replace("_", " "))
    return " ".join(words[1:] if len(words) > 1 and words[0] in ARTICLES else words)
