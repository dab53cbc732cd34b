"""A made crowd, SYNTHETIC: what weighing verdicts is worth against plain majorities. `make bench ONLY=crowd`, or

    python -m annotation.crowd.simulation

2,000 items, 80 % of them good, and 30 reviewers who judge equally often, independently, and always as well as on
their first day. Real people tire, agree in their mistakes on hard items, and a few of them do most of the work.

All ways of labelling meet the same items and the same reviewers, who would say of an item the same each time. Errors
are shares of all items. A row's errors and verdicts are set against two curves of the same crowd:

  majority      of a fixed number of verdicts, whatever they are
  k alike       asking until k agree, without a look at who they are: the rule that CHAD had before, with k = 2

"errs" is what the curve errs with as many verdicts; "saves" is the share of verdicts by which a way needs fewer than
the curve for the same error (where it errs less than the curve does anywhere, the curve's end is taken, and it saves
more than is said). "All in" counts control items too, which cost as much as others; most of the practice is done by
people whose verdicts would spoil the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from annotation.crowd.consensus import Consensus, Reliability, Vote, consensus
from annotation.crowd.dawid_skene import Fit, fit
from annotation.crowd.gold import RECENT, Standing, gives_feedback, probability_of_gold, standing

ITEMS, SEEDS = 2000, 20
GOOD_SHARE = 0.8

# The control items: as many good ones as bad.
GOOD_CONTROLS = 0.5

# Reliabilities are fitted anew after so many verdicts, as a job does from time to time.
REFIT = 500

# Items in hand at once; the oldest is handed out first.
IN_HAND = 60

# The curves: verdicts of a fixed majority (even numbers add ties and no knowledge), and how many alike.
MAJORITIES = (1, 3, 5, 7, 9, 11)
ALIKE = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Kind:
    """Reviewers of one kind: how many there are, and how reliable they are."""

    name: str
    many: int
    reliability: Reliability


CROWD = (
    Kind("good", 14, Reliability(0.93, 0.93)),
    Kind("lenient", 7, Reliability(0.97, 0.7)),
    Kind("careless", 5, Reliability(0.75, 0.75)),
    Kind("says always yes", 2, Reliability(1.0, 0.0)),
    Kind("flips a coin", 2, Reliability(0.5, 0.5)),
)


@dataclass(frozen=True, eq=False)
class World:
    """Items and what everybody would say of them.

    Attributes:
        good: (I,) bool, what the items are.
        says: (I, P) bool, whether each person would accept each item.
        order: (I, P) int, the people in the order in which they happen upon each item.
        people: how reliable they are.
    """

    good: NDArray[np.bool_]
    says: NDArray[np.bool_]
    order: NDArray[np.int64]
    people: Sequence[Reliability]

    def first(self, many: int) -> NDArray[np.bool_]:
        """(I, many) bool, the first verdicts on each item."""
        return np.take_along_axis(self.says, self.order[:, :many], axis=1)


@dataclass(frozen=True, eq=False)
class Labels:
    """What a way of labelling makes of a world.

    Attributes:
        accepts: (I,) float, 1 for an accepted item, 0 for a rejected one, 1/2 where a coin has to decide.
        verdicts: given on items, for each item.
        practice, controls: given on control items, for each item: by people who practise, and in between, unseen.
        disputed: the share of items left to an admin; here they have the label that is more probable.
    """

    accepts: NDArray[np.float64]
    verdicts: float
    practice: float = 0.0
    controls: float = 0.0
    disputed: float = 0.0


def make_world(seed: int, n_items: int = ITEMS, crowd: Sequence[Kind] = CROWD) -> World:
    rng = np.random.default_rng(seed)
    people = [kind.reliability for kind in crowd for _ in range(kind.many)]
    good = rng.random(n_items) < GOOD_SHARE
    accepts_good, rejects_bad = np.array([(one.accepts_good, one.rejects_bad) for one in people]).T
    accepting = np.where(good[:, None], accepts_good, 1 - rejects_bad)  # (I, P)
    says = rng.random(accepting.shape) < accepting
    order = rng.permuted(np.tile(np.arange(len(people)), (n_items, 1)), axis=1)
    return World(good, says, order, people)


# --- without a look at who judges


def majority(world: World, many: int) -> Labels:
    """What most of the first `many` people say."""
    share = world.first(many).mean(axis=1)
    return Labels(np.where(share == 0.5, 0.5, share > 0.5), many)


def alike(world: World, many: int) -> Labels:
    """People are asked until `many` of them say the same."""
    accepts = np.cumsum(world.first(2 * many - 1), axis=1)
    rejects = np.arange(1, 2 * many) - accepts
    asked = np.argmax(np.maximum(accepts, rejects) >= many, axis=1) + 1
    accepted = accepts[np.arange(len(accepts)), asked - 1] >= many
    return Labels(accepted.astype(np.float64), float(asked.mean()))


# --- with reliabilities


def dawid_skene(world: World, many: int) -> Labels:
    """Dawid and Skene's posterior of the first `many` verdicts on each item, no item known."""
    items = np.repeat(np.arange(len(world.good)), many)
    found = fit(items, world.order[:, :many].ravel(), world.first(many).ravel(), n_people=len(world.people))
    return Labels(_labels(found.posterior), many)


@dataclass(eq=False)
class Desk:
    """The double-check as it is run: reviewers come in any order and are handed control items or items.

    Attributes:
        needed: verdicts that have to agree.
        controls: whether there are control items, and standings. Without, everybody's verdicts count.
        known: reliabilities that are known beforehand instead of fitted, by person.
    """

    world: World
    rng: np.random.Generator
    needed: int = 2
    controls: bool = True
    known: Mapping[int, Reliability] | None = None

    votes: list[dict[int, bool]] = field(init=False)  # of each item, those that count
    in_hand: list[int] = field(default_factory=list)
    begun: int = 0  # items up to this one were taken in hand
    found: dict[int, Consensus] = field(default_factory=dict)  # items that are settled or disputed
    reliabilities: Mapping[int, Reliability] = field(default_factory=dict)
    reviewers: list[_Reviewer] = field(init=False)
    verdicts: int = 0

    def __post_init__(self) -> None:
        self.votes = [{} for _ in self.world.good]
        self.reviewers = [_Reviewer() for _ in self.world.people]
        self.reliabilities = self.known or {}

    def run(self) -> Labels:
        """Lets reviewers come until nothing is open. Of a crowd too small for that, items stay as they are."""
        patience = 100 * len(self.world.good)
        while self._fill_hand() and patience:
            self._turn(int(self.rng.integers(len(self.reviewers))))
            patience -= 1
        # As it was decided then, by the reliabilities of that day.
        found = [self.found.get(item) or self._found(item) for item in range(len(self.votes))]
        best = [one.probability > 0.5 if one.accepts is None else one.accepts for one in found]
        return self._counted(np.array(best, np.float64))

    def by_posterior(self) -> Labels:
        """After `run`: the same verdicts, labelled by Dawid and Skene's posterior."""
        return self._counted(_labels(self._fit().posterior[: len(self.votes)]))

    def _counted(self, accepts: NDArray[np.float64]) -> Labels:
        many = len(self.votes)
        practice = sum(reviewer.practised for reviewer in self.reviewers)
        controls = sum(len(reviewer.answers) for reviewer in self.reviewers) - practice
        disputed = sum(found.disputed for found in self.found.values())
        return Labels(accepts, self.verdicts / many, practice / many, controls / many, disputed / many)

    def _fill_hand(self) -> bool:
        while len(self.in_hand) < IN_HAND and self.begun < len(self.votes):
            self.in_hand.append(self.begun)
            self.begun += 1
        return bool(self.in_hand)

    def _turn(self, person: int) -> None:
        reviewer = self.reviewers[person]
        if self.controls and self.rng.random() < reviewer.probability_of_control():
            good = bool(self.rng.random() < GOOD_CONTROLS)
            worth = self.world.people[person]
            accepts = bool(self.rng.random() < (worth.accepts_good if good else 1 - worth.rejects_bad))
            for item in reviewer.answer(good, accepts):
                del self.votes[item][person]
                self._look_again(item)
            return
        item = next((item for item in self.in_hand if item not in reviewer.seen), None)
        if item is not None:
            self._judge(person, item)

    def _judge(self, person: int, item: int) -> None:
        self.votes[item][person] = bool(self.world.says[item, person])
        self.reviewers[person].judged(item)
        self.verdicts += 1
        self._look_again(item)
        if self.known is None and self.verdicts % REFIT == 0:
            found = self._fit()
            self.reliabilities = {number: found.reliability(number) for number in range(len(self.reviewers))}
            for waiting in list(self.in_hand):
                self._look_again(waiting)

    def _look_again(self, item: int) -> None:
        """Closes the item or, where a verdict was put back, opens it again."""
        found = self._found(item)
        if found.accepts is None and not found.disputed:
            if self.found.pop(item, None):
                self.in_hand.append(item)
            return
        if item not in self.found:
            self.in_hand.remove(item)
        self.found[item] = found

    def _found(self, item: int) -> Consensus:
        votes = [Vote(person, accepts) for person, accepts in self.votes[item].items()]
        return consensus(votes, self.reliabilities, needed=self.needed, at_most=2 * self.needed + 1)

    def _fit(self) -> Fit:
        """Over all verdicts that count and all answers to control items.

        Two known items, a good and a bad one, stand for all control items: what matters of one is only which it is.
        """
        good, bad = len(self.votes), len(self.votes) + 1
        rows = [
            (item, person, accepts) for item, votes in enumerate(self.votes) for person, accepts in votes.items()
        ] + [
            (good if is_good else bad, person, accepts)
            for person, reviewer in enumerate(self.reviewers)
            for is_good, accepts in reviewer.answers
        ]
        items, people, accepts = np.array(rows).T
        return fit(items, people, accepts, known={good: True, bad: False}, n_people=len(self.reviewers))


@dataclass(eq=False)
class _Reviewer:
    standing: Standing = Standing.NEW
    answers: list[tuple[bool, bool]] = field(default_factory=list)  # is the control item good, was it accepted
    practised: int = 0  # of these, how many were practice
    since: list[bool] = field(default_factory=list)  # right answers since the standing changed
    seen: set[int] = field(default_factory=set)
    judged_at: list[tuple[int, int]] = field(default_factory=list)  # answers given before, and the item

    def probability_of_control(self) -> float:
        """Who practises gets nothing else."""
        if gives_feedback(self.standing):
            return 1.0
        recent = self.since[-RECENT:]
        return probability_of_gold(sum(recent), len(recent) - sum(recent))

    def judged(self, item: int) -> None:
        self.seen.add(item)
        self.judged_at.append((len(self.answers), item))

    def answer(self, good: bool, accepts: bool) -> list[int]:
        """Answers a control item; whoever is set aside by it has the verdicts put back that were given meanwhile."""
        self.answers.append((good, accepts))
        self.practised += gives_feedback(self.standing)
        self.since.append(good == accepts)
        before, self.standing = self.standing, standing(self.standing, self.since)
        if self.standing is before:
            return []
        first = len(self.answers) - min(len(self.since), RECENT)
        self.since = []
        if self.standing is not Standing.SET_ASIDE:
            return []
        doubted = [item for at, item in self.judged_at if at > first]
        self.judged_at = [(at, item) for at, item in self.judged_at if at <= first]
        return doubted


def _labels(posterior: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(posterior == 0.5, 0.5, posterior > 0.5)


# --- the table


Ways = dict[str, Labels]


def all_ways(world: World, seed: int) -> Ways:
    """Every way of labelling, by name."""
    ways = {f"majority of {many}": majority(world, many) for many in MAJORITIES[:4]}
    ways |= {f"{many} alike": alike(world, many) for many in ALIKE[1:4]}
    ways |= {f"Dawid-Skene of {many}": dawid_skene(world, many) for many in (2, 3, 5)}
    for needed in (2, 3):
        desk = Desk(world, np.random.default_rng(seed), needed, controls=False)
        ways[f"weighted, {needed} at least, no control items"] = desk.run()
    for needed in (2, 3):
        desk = Desk(world, np.random.default_rng(seed), needed)
        ways[f"CHAD: weighted, {needed} at least, control items"] = desk.run()
        ways[f"CHAD, {needed} at least, then Dawid-Skene"] = desk.by_posterior()
    known = dict(enumerate(world.people))
    desk = Desk(world, np.random.default_rng(seed), controls=False, known=known)
    ways["weighted, 2 at least, reliabilities known"] = desk.run()
    return ways


def error(labels: Labels, world: World) -> float:
    """The share of items with a wrong label."""
    return float(np.abs(labels.accepts - world.good).mean())


def figures(labels: Labels, world: World) -> dict[str, float]:
    """One way's figures in one world."""
    wrong = np.abs(labels.accepts - world.good)
    of_majority = [majority(world, many) for many in MAJORITIES]
    of_alike = [alike(world, many) for many in ALIKE]
    total = labels.verdicts + labels.practice + labels.controls
    row = {
        "verdicts": labels.verdicts,
        "practice": labels.practice,
        "controls": labels.controls,
        "error": float(wrong.mean()),
        "bad accepted": float(wrong[~world.good].mean()),
        "disputed": labels.disputed,
    }
    for name, curve in (("majority", of_majority), ("alike", of_alike)):
        needs = verdicts_for(row["error"], curve, world)
        row |= {
            f"{name} errs": error_at(labels.verdicts, curve, world),
            f"{name} errs, all in": error_at(total, curve, world),
            f"saves on {name}": 1 - labels.verdicts / needs,
            f"saves on {name}, all in": 1 - total / needs,
        }
    return row


def error_at(verdicts: float, curve: Sequence[Labels], world: World) -> float:
    """The error of the curve at as many verdicts an item; between its points, its logarithm is interpolated."""
    return float(np.exp(np.interp(verdicts, [one.verdicts for one in curve], _log_errors(curve, world))))


def verdicts_for(wanted: float, curve: Sequence[Labels], world: World) -> float:
    """The verdicts an item that the curve needs for this error; the curve's end where it does not reach it."""
    falling = np.minimum.accumulate(_log_errors(curve, world))
    log_wanted = np.log(max(wanted, 0.5 / len(world.good)))
    return float(np.interp(-log_wanted, -falling, [one.verdicts for one in curve]))


def _log_errors(curve: Sequence[Labels], world: World) -> NDArray[np.float64]:
    # No error at all among so many items is counted as half an item.
    return np.log([max(error(one, world), 0.5 / len(world.good)) for one in curve])


def table(
    seeds: int = SEEDS, n_items: int = ITEMS, ways: Callable[[World, int], Ways] = all_ways
) -> list[dict[str, Any]]:
    """For `make bench`: each way of labelling, averaged over seeds, with 95 % intervals (±, by Student's t)."""
    measured: dict[str, list[dict[str, float]]] = {}
    for seed in range(seeds):
        world = make_world(seed, n_items)
        for name, labels in ways(world, seed).items():
            measured.setdefault(name, []).append(figures(labels, world))
    return [_row(name, rows) for name, rows in measured.items()]


def _row(name: str, rows: Sequence[dict[str, float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"labels by (synthetic)": name}
    for column in rows[0]:
        values = [one[column] for one in rows]
        row[column] = float(np.mean(values))
        if column in WITH_INTERVAL:
            row[f"± {column}"] = half_interval(values)
    return row


WITH_INTERVAL = {"verdicts", "error", "saves on majority", "saves on alike"}


def half_interval(values: Sequence[float]) -> float | None:
    """Half of the 95 % interval of the mean; None of a single value."""
    if len(values) < 2:
        return None
    return float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))


def standing_table(people: int = 2000, answers: int = 100, seed: int = 0) -> list[dict[str, Any]]:
    """How often and how soon reviewers of some accuracy are set aside: what `gold` chose its constants by."""
    rng = np.random.default_rng(seed)
    rows = []
    for accuracy in (0.95, 0.9, 0.85, 0.6, 0.5):
        until = np.array([_answers_until_aside(rng.random(answers) < accuracy) for _ in range(people)])
        caught = until < np.inf
        rows.append(
            {
                "accuracy (synthetic)": accuracy,
                "set aside": float(caught.mean()),
                "median answers until": float(np.median(until)) if caught.mean() > 0.5 else None,
            }
        )
    return rows


def _answers_until_aside(right: NDArray[np.bool_]) -> float:
    now, since = Standing.NEW, 0
    for number in range(1, len(right) + 1):
        before, now = now, standing(now, right[max(since, number - RECENT) : number].tolist())
        if now is Standing.SET_ASIDE:
            return number
        if now is not before:
            since = number
    return float("inf")


# Whom the training has to tell apart; who always accepts, or always rejects, is right as often as a coin.
PASSING = {
    "says always yes": Reliability(1.0, 0.0),
    "flips a coin": Reliability(0.5, 0.5),
    "0.60": Reliability(0.6, 0.6),
    "0.85": Reliability(0.85, 0.85),
    "0.90": Reliability(0.9, 0.9),
    "0.95": Reliability(0.95, 0.95),
}
CONTROLS_EACH, SITTINGS = 60, 400
PASSED_WITHIN = 30


def passing_table(people: int = 2000, seed: int = 0) -> list[dict[str, Any]]:
    """Who passes the training or wins trust back, within CONTROLS_EACH control items, and what their verdicts do then.

    Everybody judges until they have met so many control items, half of them good, or SITTINGS items in all.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for name, worth in PASSING.items():
        first, last, given, kept = np.array([_sit(worth, rng) for _ in range(people)]).T
        passes = first < np.inf
        rows.append(
            {
                "reviewer (synthetic)": name,
                "passes training": float((passes & (last == 0)).mean()),
                "ever trusted": float(passes.mean()),
                "median items until": _quantile(first, 0.5),
                "90 % until": _quantile(first, 0.9),
                f"not within {PASSED_WITHIN}": float((first > PASSED_WITHIN).mean()),
                "verdicts": float(given.mean()),
                "that count": float(kept.mean()),
                "share": float(kept.sum() / given.sum()) if given.sum() else None,
            }
        )
    return rows


def _sit(worth: Reliability, rng: np.random.Generator) -> tuple[float, int, int, int]:
    """Control items until trusted, whether set aside before, verdicts given, and those that count in the end."""
    reviewer, first, was_aside = _Reviewer(), float("inf"), False
    for item in range(SITTINGS):
        if rng.random() >= reviewer.probability_of_control():
            reviewer.judged(item)
            continue
        if len(reviewer.answers) == CONTROLS_EACH:
            break
        good = bool(rng.random() < GOOD_CONTROLS)
        reviewer.answer(good, bool(rng.random() < (worth.accepts_good if good else 1 - worth.rejects_bad)))
        if first == float("inf"):
            was_aside |= reviewer.standing is Standing.SET_ASIDE
            first = len(reviewer.answers) if reviewer.standing is Standing.TRUSTED else first
    return first, was_aside, len(reviewer.seen), len(reviewer.judged_at)


def _quantile(values: NDArray[np.float64], share: float) -> float | None:
    found = float(np.quantile(values, share, method="higher"))
    return found if found < np.inf else None


def _print(rows: Sequence[dict[str, Any]]) -> None:
    cells = [list(rows[0]), *([_shown(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[k]) for line in cells) for k in range(len(cells[0]))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    _print(table())
    print()
    _print(standing_table())
    print()
    _print(passing_table())
