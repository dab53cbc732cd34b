"""Query by humming, evaluated: every query of a collection is sought among its targets by one matcher or more."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ml_worker.audio.melody import Melody
from ml_worker.audio.melody_files import Progress, hear, read_melodies
from ml_worker.audio.sound import UnusableAudio
from ml_worker.retrieval.hum_check import doubt_of
from ml_worker.retrieval.layouts import AUDIO_ENDINGS, BadCollection, Collection, Query, Target
from ml_worker.retrieval.matcher import Matcher, NothingHeard
from ml_worker.retrieval.metrics import TOPS, gains_of, hit_rates, interval_of_means, intervals, rank_of

# What makes a matcher for targets.
MatcherMaker = Callable[[Sequence[Melody]], Matcher]

NO_TARGET = "Its target is not among the targets."
# Targets that are missing and named one by one; of more, only how many.
NAMED = 5


class Sought(NamedTuple):
    """What a matcher made of a query.

    Attributes:
        rank: of its target, from 1; None for a miss.
        problem: a sentence where the query could not be sought, else empty.
        seconds: that matching took.
    """

    rank: int | None
    problem: str
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What came of a query.

    Attributes:
        query: what was asked.
        problem: a sentence where it could not even be asked: it has no target, or cannot be read.
        reading_s: seconds until its melody was there, decoding and tracking included.
        sought: by the name of each matcher; empty where there is a problem.
    """

    query: Query
    problem: str
    reading_s: float
    sought: Mapping[str, Sought]

    def rank(self, matcher: str) -> int | None:
        return self.sought[matcher].rank if matcher in self.sought else None

    def problems(self) -> str:
        """All that stood in its way, in sentences."""
        found = [self.problem, *(one.problem for one in self.sought.values())]
        return " ".join(dict.fromkeys(problem for problem in found if problem))


@dataclass(frozen=True)
class Evaluation:
    """What came of all queries.

    Attributes:
        outcomes: in the order of the queries.
        matchers: what was compared, by the name it goes by here: its own name.
        preparing_s: seconds that each matcher took for the targets, once.
        targets: how many there were.
        left_out: sentences about files that are no targets.
        from_start: whether the hums were known to begin where their targets do.
    """

    outcomes: Sequence[Outcome]
    matchers: Mapping[str, str]
    preparing_s: Mapping[str, float]
    targets: int
    left_out: Sequence[str]
    from_start: bool

    def ranks(self, matcher: str) -> list[int | None]:
        return [outcome.rank(matcher) for outcome in self.outcomes]

    def songs(self) -> list[str]:
        """The song of each query; one that nobody knows the target of is a song of its own."""
        return [
            f"nobody knows, {number}" if outcome.query.target is None else f"song {outcome.query.target}"
            for number, outcome in enumerate(self.outcomes)
        ]

    def without_target(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.problem == NO_TARGET]

    def unheard(self) -> list[Outcome]:
        """Queries that have a target and could not be read, or in which a matcher heard nothing."""
        return [outcome for outcome in self.outcomes if outcome.problems() not in ("", NO_TARGET)]

    def figures(self, matcher: str) -> dict[str, Any]:
        """Hit rates, MRR, their intervals and the mean seconds of the queries that were sought."""
        ranks = self.ranks(matcher)
        sought = [(outcome.reading_s, one.seconds) for outcome in self.outcomes
                  if (one := outcome.sought.get(matcher))]  # fmt: skip
        return {
            **hit_rates(ranks).as_dict(),
            "seconds_per_query": float(np.sum(sought) / len(sought)) if sought else None,
            "matching_seconds_per_query": float(np.mean(sought, axis=0)[1]) if sought else None,
            "preparing_seconds": self.preparing_s[matcher],
            "matcher": self.matchers[matcher],
            "intervals": intervals(ranks, self.songs()),
        }

    def lead(self, one: str, other: str) -> dict[str, dict[str, Any]]:
        """How far a matcher is ahead of another, with intervals of the differences, query by query."""
        ahead = gains_of(self.ranks(one)) - gains_of(self.ranks(other))
        bounds = interval_of_means(ahead, self.songs())
        names = [*(f"top{k}" for k in TOPS), "mrr"]
        return {
            name: {"difference": float(mean), "interval": bounds[place] if bounds else None}
            for place, (name, mean) in enumerate(zip(names, ahead.mean(axis=0), strict=True))
        }

    def as_dict(self) -> dict[str, Any]:
        """As plain values for JSON: figures by matcher, the queries with their ranks, and what was counted."""
        queries = [
            {
                "query": outcome.query.name,
                "target": outcome.query.target,
                **{f"rank_{matcher}": outcome.rank(matcher) for matcher in self.matchers},
                "problem": outcome.problems() or None,
            }
            for outcome in self.outcomes
        ]
        first, *others = self.matchers
        return {
            **{matcher: self.figures(matcher) for matcher in self.matchers},
            "lead": {other: self.lead(first, other) for other in others},
            "queries": queries,
            "targets": self.targets,
            "songs": len(set(self.songs())),
            "without_target": len(self.without_target()),
            "unheard": len(self.unheard()),
            "from_start": self.from_start,
            "left_out": list(self.left_out),
        }


def evaluate(
    collection: Collection,
    makers: Mapping[str, MatcherMaker],
    *,
    from_start: bool = False,
    mixtures: bool = False,
    processes: int = 1,
    progress: Progress | None = None,
) -> Evaluation:
    """Seeks every query among all targets by each matcher.

    A query without a target among the targets, one that cannot be read, and one in which nothing is heard are misses.

    Args:
        collection: queries and targets.
        makers: what makes each matcher, by the name it goes by in the answer; the first is compared with the others.
        from_start: the hums are known to begin where their targets do.
        mixtures: audio targets are mixtures. The melody of each is taken from its vocal part and from the whole, and
            the better one counts: either goes wrong where the other does not.
        processes: that may share the reading of the targets, as for `read_melodies`.
        progress: told the share of the present stage that is done, and a message.

    Raises:
        BadCollection: no target can be read.
    """
    tell = progress or (lambda share, message: None)
    melodies, names, left_out = _read_targets(collection, mixtures, processes, tell)
    matchers, preparing_s = {}, {}
    for name, make in makers.items():
        tell(0.0, f"Preparing the {name} for {len(set(names))} targets")
        began = time.perf_counter()
        matchers[name] = make(melodies)
        preparing_s[name] = time.perf_counter() - began
    known = set(names)
    outcomes = []
    for number, query in enumerate(collection.queries):
        tell(number / len(collection.queries), f"Query {number + 1} of {len(collection.queries)}: {query.path.name}")
        if query.target in known:
            outcomes.append(_outcome(query, matchers, names, from_start))
        else:
            outcomes.append(Outcome(query, NO_TARGET, 0.0, {}))
    own_names = {name: matcher.name for name, matcher in matchers.items()}
    return Evaluation(outcomes, own_names, preparing_s, len(set(names)), left_out, from_start)


def _read_targets(
    collection: Collection, mixtures: bool, processes: int, tell: Progress
) -> tuple[list[Melody], list[str], list[str]]:
    """The melodies of the targets, their names, and sentences about those that have none."""
    melodies: list[Melody] = []
    names: list[str] = []

    def read(targets: Sequence[Target], what: str, *, mixture: bool) -> dict[str, str]:
        """Adds the melodies of some targets; by the names of the others a sentence about each."""
        readings = read_melodies(
            [target.path for target in targets],
            mixture=mixture,
            processes=processes,
            progress=lambda share, which: tell(share, f"Reading {what} {which}"),
        )
        problems = {}
        for target, reading in zip(targets, readings, strict=True):
            if reading.melody is None:
                problems[target.name] = named(reading.problem, target.path)
            elif not reading.melody.voiced.any():
                problems[target.name] = f"No melody is heard in {target.path}."
            else:
                melodies.append(reading.melody)
                names.append(target.name)
        return problems

    problems = read(collection.targets, "target", mixture=mixtures)
    if mixtures:
        sounding = [target for target in collection.targets if target.path.suffix.lower() in AUDIO_ENDINGS]
        read(sounding, "the whole of target", mixture=False)
    found = set(names)
    left_out = [*collection.left_out, *(problem for name, problem in problems.items() if name not in found)]
    if not melodies:
        raise BadCollection(f"None of the targets can be read: {left_out[0]}")
    return melodies, names, left_out


def named(problem: str, path: Path) -> str:
    """A sentence about a file that names it."""
    return problem if path.name in problem else f"{path.name}: {problem}"


def _outcome(query: Query, matchers: Mapping[str, Matcher], names: Sequence[str], from_start: bool) -> Outcome:
    began = time.perf_counter()
    try:
        melody, sound = hear(query.path)
    except UnusableAudio as problem:
        return Outcome(query, str(problem), time.perf_counter() - began, {})
    reading_s = time.perf_counter() - began
    doubt = doubt_of(melody, sound) if sound else ""
    sought = {name: _sought(query, melody, doubt, matcher, names, from_start) for name, matcher in matchers.items()}
    return Outcome(query, "", reading_s, sought)


def _sought(
    query: Query, melody: Melody, doubt: str, matcher: Matcher, names: Sequence[str], from_start: bool
) -> Sought:
    """What a matcher makes of a query. Where it hears nothing, what the sound says of that (`doubt`) comes first."""
    began = time.perf_counter()
    try:
        matches = matcher.match(melody, from_start=from_start)
    except NothingHeard as problem:
        return Sought(None, doubt or str(problem), time.perf_counter() - began)
    seconds = time.perf_counter() - began
    return Sought(rank_of(query.target, names, matches.scores), "", seconds)


# -------------------------------------------------------------------------------------------------- for people


def in_words(evaluation: Evaluation) -> str:
    """The evaluation as a table, with the hums that could not be sought."""
    figures = {matcher: evaluation.figures(matcher) for matcher in evaluation.matchers}
    first, *others = figures
    lead = evaluation.lead(first, others[0]) if others else None
    rows = [["", *figures, f"{first} ahead by" if lead else ""]]
    # Among five targets everything is among the first ten.
    tops = [k for k in TOPS if k <= max(TOPS[0], evaluation.targets)]
    for key, label in [*((f"top{k}", f"top-{k}") for k in tops), ("mrr", "MRR")]:
        row = [
            label,
            *(_with_interval(f"{one[key]:.3f}", (one["intervals"] or {}).get(key)) for one in figures.values()),
        ]
        ahead = _with_interval(f"{lead[key]['difference']:+.3f}", lead[key]["interval"], "+") if lead else ""
        rows.append([*row, ahead])
    for key, label in [("seconds_per_query", "seconds a query"), ("matching_seconds_per_query", "of it matching")]:
        rows.append([label, *(_seconds(one[key]) for one in figures.values()), ""])
    start = "known to begin where their targets do" if evaluation.from_start else "that may begin anywhere"
    songs = len(set(evaluation.songs()))
    hums, among = counted(len(evaluation.outcomes), "hum"), counted(evaluation.targets, "target")
    lines = [f"{hums} of {counted(songs, 'song')}, {start}, among {among}.", *_in_columns(rows)]
    if figures[first]["intervals"]:
        lines.append(f"In brackets: 95 % confidence, from drawing the {songs} songs again.")
    lines += [f"The {matcher} is: {name}." for matcher, name in evaluation.matchers.items()]
    if missing := evaluation.without_target():
        lines.append(f"{len(missing)} without a target, counted as misses.")
    if unheard := evaluation.unheard():
        lines.append(f"{len(unheard)} that could not be read or heard, counted as misses:")
        lines += [f"  {outcome.query.name}: {outcome.problems()}" for outcome in unheard]
    return "\n".join(lines)


def ranks_in_words(evaluation: Evaluation) -> str:
    """The rank of every hum by each matcher as a table, the worst of the first matcher above; "-" is a miss."""
    first = next(iter(evaluation.matchers))
    worst_first = sorted(evaluation.outcomes, key=lambda outcome: -(outcome.rank(first) or evaluation.targets + 1))
    rows = [["hum", "target", *evaluation.matchers, ""]]
    for outcome in worst_first:
        ranks = (str(outcome.rank(matcher) or "-") for matcher in evaluation.matchers)
        rows.append([outcome.query.name, outcome.query.target or "-", *ranks, outcome.problems()])
    return "\n".join(_in_columns(rows))


def missing_in_words(evaluation: Evaluation) -> str:
    """How many hums have no target, and the names of the first few that they seek; "" where all have one."""
    missing = [outcome.query.target for outcome in evaluation.without_target()]
    if not missing:
        return ""
    hums, among = counted(len(evaluation.outcomes), "hum"), counted(evaluation.targets, "target")
    sentences = [f"Without a target among the {among}: {len(missing)} of {hums}, counted as misses."]
    if names := list(dict.fromkeys(filter(None, missing))):
        further = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        sentences.append(f"Sought, and not there: {', '.join(names[:NAMED])}{further}.")
    if nameless := missing.count(None):
        sentences.append(f"Without the name of a target: {counted(nameless, 'hum')}.")
    return " ".join(sentences)


def _in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table whose columns are as wide as they need to be, the last one aside."""
    widths = [*(max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]), 0]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def counted(number: int, one: str) -> str:
    """So many of something: "1 song", "2 songs"."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def _with_interval(value: str, interval: tuple[float, float] | None, sign: str = "") -> str:
    return f"{value} [{interval[0]:{sign}.3f}, {interval[1]:{sign}.3f}]" if interval else value


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
