"""Which of the videos that a search found are probably no covers to learn from, and why, in words.

Rules of words and numbers only: nothing is downloaded for them, and a person decides in the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ml_worker.collecting.names import artist_of_channel, key_of, tidy, words_of

# A cover lasts about as long as its original. Twice as long is a medley or a loop, half as long a cut.
SHORTEST_SHARE, LONGEST_SHARE = 0.5, 2.0
# Where the original's length is not known: what songs have; seconds.
SHORTEST_S, LONGEST_S = 60.0, 600.0
# The share of the title's words that a video's title has at least.
LEAST_OF_TITLE = 0.5


@dataclass(frozen=True)
class Sought:
    """The song whose covers are sought; its length in seconds where it is known."""

    title: str
    artist: str
    duration_s: float | None = None


@dataclass(frozen=True)
class FoundVideo:
    """A video as a search shows it; length in seconds and number of views where they are told."""

    youtube_id: str
    title: str
    channel: str
    duration_s: float | None = None
    views: int | None = None


@dataclass(frozen=True)
class Reason:
    """Why a video is put aside: the filter's name, and a sentence."""

    filter: str
    sentence: str


Rule = Callable[[FoundVideo, Sought], str]

# Filters of words: the pattern, matched against the video's title in lower case without accents and marks, and what it
# means. What the song's own title or artist says is taken out before ("Live and Let Die", "Karaoke Queen").
WORDS = {
    "karaoke": (r"karaoke|sing ?along|playback|backing tracks?|minus one|without vocals?|no vocals?",
                "a track to sing to, without a singer"),
    "live": (r"live|concert|unplugged|tour|festival|open air|tiny desk|session at",
             "live: an audience sings and claps along"),
    "instrumental": (r"instrumental|piano (?:cover|version)|guitar (?:cover|version)|violin (?:cover|version)"
                     r"|fingerstyle|sax(?:ophone)? (?:cover|version)|drum cover|bass cover|8 bit|chiptune|music box"
                     r"|lullaby version|type beat",
                     "instrumental: nobody sings"),
    "reaction": (r"reaction|reacts?|reacting|review|analysis|explained|interview|trailer|podcast",
                 "somebody talks about it"),
    "lesson": (r"lessons?|tutorial|how to (?:play|sing)|chords?|tabs?|learn(?: to)?|sheet music|noten|unterricht",
               "a lesson"),
    "speed": (r"sped ?up|speed ?up|slowed|reverb|nightcore|daycore|pitched",
              "the original itself, faster, slower or shifted"),
    "spatial": (r"8d|16d|3d audio|bass boosted|(?:1|10|one|ten) hours?|loop(?:ed)?|remaster(?:ed)?|lyrics? video",
                "the original itself, worked on"),
    "mixed": (r"medley|mash ?up|remix(?:es)?|megamix|playlist|full album|compilation|dj set",
              "several songs, or a remix"),
}  # fmt: skip
PATTERNS = {name: (re.compile(rf"(?<!\S)(?:{words})(?!\S)"), meaning) for name, (words, meaning) in WORDS.items()}


def too_long_or_short(video: FoundVideo, song: Sought) -> str:
    """Nothing to say where the video is about as long as a cover is, or its length is not told."""
    if not video.duration_s:
        return ""
    if song.duration_s:
        low, high = SHORTEST_SHARE * song.duration_s, LONGEST_SHARE * song.duration_s
        beside = f"the original has {clock(song.duration_s)}"
    else:
        low, high = SHORTEST_S, LONGEST_S
        beside = f"songs have {clock(low)} to {clock(high)}"
    if low <= video.duration_s <= high:
        return ""
    too = "short" if video.duration_s < low else "long"
    return f"Too {too}: {clock(video.duration_s)}, and {beside}."


def of_another_title(video: FoundVideo, song: Sought) -> str:
    share = share_of_title(video.title, song.title)
    return "" if share >= LEAST_OF_TITLE else f"Its title has {round(100 * share)} % of the words of “{song.title}”."


def share_of_title(found: str, sought: str) -> float:
    """How much of a title is in another one, 0..1: the share of its words, or 1 where it stands there as it is.

    The second is for scripts that put no space between words.
    """
    stands_there = key_of(sought).replace(" ", "") in key_of(found).replace(" ", "")
    if stands_there or tidy(sought.casefold()) in tidy(found.casefold()):
        return 1.0
    there, words = set(words_of(found)), words_of(sought)
    return sum(word in there for word in words) / len(words) if words else 0.0


def of_the_artist(video: FoundVideo, song: Sought) -> str:
    """Nothing to say unless the channel is the original artist's own, such as "Adele - Topic" or "AdeleVEVO"."""
    artist = key_of(song.artist).replace(" ", "")
    if artist and key_of(artist_of_channel(video.channel)).replace(" ", "") == artist:
        return "The artist's own channel: probably the original itself, or a copy of it."
    return ""


def _by_words(name: str) -> Rule:
    pattern, meaning = PATTERNS[name]

    def rule(video: FoundVideo, song: Sought) -> str:
        hit = pattern.search(without_names(video.title, song))
        return f"“{hit[0].strip()}” in the title: {meaning}." if hit else ""

    return rule


def without_names(title: str, song: Sought) -> str:
    """A video's title for matching, with the song's own title and artist taken out of it."""
    text = f" {key_of(title)} "
    for name in (song.title, song.artist):
        text = text.replace(f" {key_of(name)} ", "  ")
    return text


FILTERS: dict[str, Rule] = {
    "length": too_long_or_short,
    **{name: _by_words(name) for name in WORDS},
    "title": of_another_title,
    "artist": of_the_artist,
}


def reasons(video: FoundVideo, song: Sought, on: Collection[str] = tuple(FILTERS)) -> list[Reason]:
    """Why this video is put aside, by each of the filters that are on; none where it may be a cover.

    Raises:
        KeyError: a filter of this name does not exist.
    """
    said = ((name, FILTERS[name](video, song)) for name in on)
    return [Reason(name, sentence) for name, sentence in said if sentence]


def clock(seconds: float) -> str:
    """3:05, or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
