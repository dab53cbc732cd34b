"""What each step of a round does.

A step is a function that is given its turn and gives its outputs, plain values for the row. It may be killed at any
point and run again: what it has done already it finds in its own outputs so far, or in the rows that it made.

Songs of the validation and test splits are mined, so that figures can be told of them. They are never trained on, and
no figure of theirs is among those that decide.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotation.models import ReviewItem, Verdict
from ml_worker import chain, rounds
from ml_worker.fingerprint.gates import Counted, Decision, interval_of_difference
from ml_worker.fingerprint.settings import Settings
from ml_worker.mining.extract import AlignedFragment
from ml_worker.mining.sureness import Evidence
from ml_worker.models import Checkpoint, Round, RoundFinding, RoundStep
from ml_worker.work import mine, promotion, train
from ml_worker.work.agreement import Tally
from ml_worker.work.fingerprints import null_level_of
from ml_worker.work.mined_data import minable
from recordings.models import CoverFragment, Humming, Recording, Song
from recordings.models.songs import Split

if TYPE_CHECKING:
    from ml_worker.fingerprint.looked import Looked
    from ml_worker.models import Job

# The kind of network that mines.
MINES = "short"
# What the train step passes on to training, of the round's options.
OF_TRAINING = ("material", "initial", "steps", "epochs", "sound_versions", "caps", "labels")
# Songs that are looked at before anything is decided; after it, all are mined.
MOST_SONGS = 200
# Doubtful findings that go to the double-check before anything is decided; after it, all that are found do.
MOST_DOUBTFUL = 40

State = CoverFragment.State


class Stopped(Exception):
    """Somebody asked the round to stop."""


class Skipped(Exception):
    """There is nothing for this step to do. Its text says why."""


class WaitsForPeople(Exception):
    """The step goes on when people have judged. Its text says what they are asked."""


class NothingToTrainOn(Exception):
    """The round ends here. Its text says what is lacking."""


@dataclass(frozen=True)
class Turn:
    """A step of a round whose turn it is, in the job that takes it."""

    round: Round
    step: RoundStep
    job: Job
    tell: Callable[[float, str], None]

    def report(self, share: float, message: str) -> None:
        """Tells how far the step is.

        Raises:
            Stopped: somebody asked the round to stop.
        """
        if self.round.is_to_stop:
            raise Stopped
        steps = len(RoundStep.Name.values)
        self.tell((self.step.place + share) / steps, f"Round {self.round.number}: {message}")

    def outputs_of(self, name: str) -> dict[str, Any]:
        """Those of an earlier step; none of one that was skipped."""
        return self.round.step(name).outputs

    @property
    def candidates(self) -> dict[str, Checkpoint]:
        """The checkpoints that this round trained, by kind."""
        names = self.outputs_of(RoundStep.Name.TRAIN)["checkpoints"]
        return {kind: Checkpoint.objects.get(pk=name) for kind, name in names.items()}

    def incumbent_of(self, candidate: Checkpoint) -> Checkpoint | None:
        """The one in use; a round may be told to do as if nothing had come with CHAD."""
        return promotion.incumbent_of(candidate, with_shipped=not self.round.options.get("as_if_nothing_came"))

    @property
    def passed(self) -> dict[str, Checkpoint]:
        """Those of them that the frozen benchmarks let through."""
        calibrated = self.outputs_of(RoundStep.Name.CALIBRATE)["kinds"]
        return {kind: row for kind, row in self.candidates.items() if calibrated[kind]["decision"]["promote"]}


# --- collect


def collect(turn: Turn) -> dict[str, Any]:
    """Counts what there is, and what is new since the round before.

    Raises:
        NothingToTrainOn: with fewer songs than training asks for.
    """
    before = Round.objects.filter(number__lt=turn.round.number).first()
    found = counts() | {"new": rounds.new_material(before.created_at if before else None)}
    turn.step.note(**found)
    songs = songs_with(turn.round.options.get("material", "both")).count()
    least = max(Settings.of(kind).least_songs for kind in turn.round.kinds)
    if songs < least:
        raise NothingToTrainOn(
            f"Nothing was trained: that needs accepted hums or cover fragments of at least {least} songs of the "
            f"training split, and there are some of {songs}."
        )
    return found


def counts() -> dict[str, Any]:
    """Hums, cover fragments and songs as they are now."""
    covers = CoverFragment.objects.filter(fragment__recording__song__taken_down_at=None)
    return {
        "hums": hums().count(),
        "songs_with_hums": songs_with("hums").count(),
        "cover_fragments": dict(covers.order_by().values_list("state").annotate(n=Count("pk"))),
        "songs": dict(Song.objects.available().order_by().values_list("split").annotate(n=Count("pk"))),
    }


def hums() -> QuerySet[Humming]:
    return Humming.objects.trainable().filter(fragment__recording__song__split=Split.TRAIN, surplus=False)


def songs_with(material: str) -> QuerySet[Song]:
    """Songs of the training split that have hums, covers, or either of both."""
    with_hums = Q(pk__in=hums().order_by().values("fragment__recording__song"))
    with_covers = Q(pk__in=minable().order_by().values("fragment__recording__song"))
    wanted = {"hums": with_hums, "covers": with_covers}.get(material, with_hums | with_covers)
    return Song.objects.available().filter(wanted, split=Split.TRAIN)


# --- train


def train_all(turn: Turn) -> dict[str, Any]:
    """A checkpoint of each kind, from the round's material. A training that was killed goes on where it was."""
    made: dict[str, str] = turn.step.outputs.get("checkpoints", {})
    words: dict[str, str] = turn.step.outputs.get("words", {})
    told = {name: turn.round.options[name] for name in OF_TRAINING if turn.round.options.get(name) is not None}
    for kind in turn.round.kinds:
        if kind not in made:
            checkpoint, said = train.made(told | {"kind": kind}, turn.job, turn.report, round=turn.round)
            made, words = made | {kind: checkpoint.pk}, words | {kind: said}
            turn.step.note(checkpoints=made, words=words)
    return {"checkpoints": made, "words": words}


# --- calibrate


def calibrate(turn: Turn) -> dict[str, Any]:
    """Whether the frozen benchmarks let each candidate through, and what chance and verdicts say of one that does."""
    kinds: dict[str, Any] = turn.step.outputs.get("kinds", {})
    for kind, candidate in turn.candidates.items():
        if kind not in kinds:
            turn.report(0.1, f"{candidate.pk} on the frozen benchmarks")
            incumbent = turn.incumbent_of(candidate)
            decision = promotion.decision_on(candidate, incumbent)
            found = {"incumbent": incumbent.pk if incumbent else None, "decision": decision.as_dict()}
            if decision.promote:
                turn.report(0.5, f"how sure {candidate.pk} is of what it finds")
                found |= calibrated(candidate)
            kinds = kinds | {kind: found}
            turn.step.note(kinds=kinds)
    return {"kinds": kinds}


def calibrated(candidate: Checkpoint) -> dict[str, Any]:
    """The null level of a candidate; of one that mines also how sure it is, as the verdicts so far have it."""
    if candidate.kind != MINES:
        null_level_of(candidate, promotion.weights_of(candidate))
        return {"null_level": candidate.null_level}
    mine.Miner.of(candidate)
    return {"null_level": candidate.null_level, "sureness": candidate.sureness.get("moved")}


# --- mine


def mine_some(turn: Turn) -> dict[str, Any]:
    """Looks with the candidate for the fragments of songs in their covers. Nothing of what is in use is touched.

    Raises:
        Skipped: no candidate that mines was let through.
    """
    candidate = candidate_that_mines(turn)
    songs: list[str] = turn.step.outputs.get("songs") or some_songs(turn.round)
    turn.step.note(songs=songs)
    mined: list[str] = turn.step.outputs.get("mined", [])
    miner = mine.Miner.of(candidate) if set(songs) - set(mined) else None
    for number, song in enumerate(songs):
        if song not in mined and miner:
            turn.report(number / len(songs), f"song {number + 1} of {len(songs)}")
            found = findings_in(Song.objects.get(pk=song), turn.round, miner)
            mined = [*mined, song]
            with transaction.atomic():
                RoundFinding.objects.bulk_create(found, ignore_conflicts=True)
                turn.step.note(mined=mined)
    findings = turn.round.findings
    return {"mined": mined, "sure": findings.sure().count(), "doubtful": findings.filter(is_sure=False).count()}


def candidate_that_mines(turn: Turn) -> Checkpoint:
    if MINES not in turn.round.kinds:
        raise Skipped(f"Only the {MINES} network mines, and this round trained none.")
    if MINES not in turn.passed:
        raise Skipped(
            "A checkpoint that falls on the frozen benchmarks is not let loose on the covers; see the step before."
        )
    return turn.passed[MINES]


def some_songs(round: Round) -> list[str]:
    """The ids of the songs that a round mines before it decides: all, or as many as fit, drawn by its number."""
    songs = sorted(str(pk) for pk in chain.songs_to_mine().values_list("pk", flat=True))
    if len(songs) <= MOST_SONGS:
        return songs
    return sorted(random.Random(f"songs of round {round.number}").sample(songs, MOST_SONGS))


def findings_in(song: Song, round: Round, miner: mine.Miner) -> list[RoundFinding]:
    """What the miner finds in the song's covers, as rows that are not stored yet."""
    original = song.recordings.analysed().originals().first()
    if original is None:  # taken down since the round began
        return []
    return [
        as_finding(one, fragment, cover, round)
        for cover in song.recordings.analysed().covers()
        for fragment, one in mine.find_all(original, cover, miner)
    ]


def as_finding(found: AlignedFragment, fragment: Any, cover: Recording, round: Round) -> RoundFinding:
    fields = mine.as_fields(fragment, cover, found)
    return RoundFinding(round=round, is_sure=found.decision == "accepted", **fields)


# --- double-check


def double_check(turn: Turn) -> dict[str, Any]:
    """Asks people about doubtful findings, and about some, drawn at random, of which the machine is sure.

    Raises:
        Skipped: nothing was mined.
        WaitsForPeople: not all is judged yet.
    """
    if turn.round.step(RoundStep.Name.MINE).state == RoundStep.State.SKIPPED:
        raise Skipped("Nothing was mined with this round's checkpoint, so there is nothing to ask.")
    ask_about_some(turn)
    asked = turn.round.findings.exclude(asked_about=None)
    left = rounds.still_asked(turn.round).count()
    why = rounds.waits_no_longer(turn.round, turn.step)
    if left and not why:
        raise WaitsForPeople(f"{left} of {asked.count()} findings wait for their verdicts in the double-check.")
    return {"asked": asked.count(), "left": left} | ({"went_on": why} if left else {})


def ask_about_some(turn: Turn) -> None:
    """Puts the chosen findings into the queue, each once."""
    wanted = [finding for finding in chosen(turn.round) if finding.asked_about_id is None]
    if turn.step.outputs.get("all_asked") or not wanted:
        return
    miner = mine.Miner.of(turn.candidates[MINES])
    for number, finding in enumerate(wanted):
        turn.report(number / len(wanted), "asking people")
        ask_about(finding, miner)
    turn.step.note(all_asked=True)


def chosen(round: Round) -> list[RoundFinding]:
    """The findings that people are asked about: the same whenever it is called."""
    findings = round.findings.select_related("fragment", "recording").order_by("pk")
    chance = random.Random(f"findings of round {round.number}")

    def some(of: Iterable[RoundFinding], most: int) -> list[RoundFinding]:
        every = list(of)
        return chance.sample(every, min(most, len(every)))

    # What is audited decides, so it is of training songs; a verdict on a doubtful one is worth its while anywhere.
    return [
        *some(findings.sure().of_training(), django_settings.ROUND_AUDITED),
        *some(findings.filter(is_sure=False), MOST_DOUBTFUL),
    ]


@transaction.atomic
def ask_about(finding: RoundFinding, miner: mine.Miner) -> None:
    """Asks about the cover fragment at the finding's place; where there is none yet, it is made, as a doubtful one.

    What stands there already as matched stays so until the first verdict, which makes it doubtful until it is settled.
    """
    Recording.objects.select_for_update(of=("self",)).get(pk=finding.recording_id)
    there = fragment_at(finding)
    finding.is_made_for_asking = there is None
    finding.asked_about = there or mine.store(finding.fragment, finding.recording, as_doubtful(finding), miner.method)
    if finding.asked_about.state in (State.MATCHED, State.DOUBTFUL):
        ReviewItem.ask_about(finding.asked_about)
    finding.save(update_fields=["asked_about", "is_made_for_asking"])


def fragment_at(finding: RoundFinding) -> CoverFragment | None:
    """The cover fragment at a finding's place; one that people judged before one that they did not."""
    of_both = {"fragment": finding.fragment_id, "recording": finding.recording_id}
    at_place = [row for row in CoverFragment.objects.filter(**of_both) if mine.same_place(as_aligned(finding), row)]
    return next((row for row in at_place if row.checked_by_people), at_place[0] if at_place else None)


def as_aligned(finding: RoundFinding) -> AlignedFragment:
    return AlignedFragment(
        a=(finding.fragment.start_s, finding.fragment.end_s),
        b=(finding.start_s, finding.end_s),
        correlation=finding.correlation,
        tempo_ratio=finding.tempo_ratio,
        transposition=finding.transposition,
        decision="accepted" if finding.is_sure else "doubtful",
        probability=finding.probability,
        evidence=Evidence(**finding.evidence),
    )


def as_doubtful(finding: RoundFinding) -> AlignedFragment:
    """However sure the machine is: it is asked whether it is right to be."""
    return replace(as_aligned(finding), decision="doubtful")


@transaction.atomic
def forget_unjudged(round: Round) -> None:
    """Takes back what a round asked and nobody answered: mining asks anew about what it finds."""
    asked = CoverFragment.objects.filter(pk__in=round.findings.values("asked_about"))
    judged = Exists(Verdict.objects.of_cover(OuterRef("pk"))) | Q(review__reported_at__isnull=False)
    unjudged = asked.filter(~judged, state__in=(State.MATCHED, State.DOUBTFUL))
    made = round.findings.filter(is_made_for_asking=True).values("asked_about")
    unjudged.filter(pk__in=made).delete()
    ReviewItem.objects.waiting().filter(cover_fragment__in=unjudged.filter(state=State.MATCHED)).delete()


# --- evaluate


def evaluate(turn: Turn) -> dict[str, Any]:
    """Everything that is known of the candidates beside those in use."""
    kinds = {}
    for number, (kind, candidate) in enumerate(turn.candidates.items()):
        turn.report(number / len(turn.round.kinds), f"{candidate.pk} on tunes that nobody trains on")
        kinds[kind] = evaluated(candidate, turn.incumbent_of(candidate))
    fused = fused_rates(turn.candidates)
    return {"kinds": kinds, "mined": mined_figures(turn.round)} | ({"fused": fused} if fused else {})


def evaluated(candidate: Checkpoint, incumbent: Checkpoint | None) -> dict[str, Any]:
    """Its hit rates beside those of the one in use; those on unseen songs are told, and decide nothing."""
    pair = [candidate, incumbent] if incumbent else [candidate]
    frozen, unseen = ([of(row) for row in pair] for of in (promotion.looks_of, promotion.unseen_looks_of))
    return {
        "incumbent": incumbent.pk if incumbent else None,
        "frozen": beside(*frozen),
        "unseen": beside(*unseen),
        "material": candidate.figures.get("material", {}),
    }


def beside(new: dict[str, Looked], old: dict[str, Looked] | None = None) -> dict[str, Any]:
    """The rates by benchmark, with the difference in mean reciprocal rank and its 95 % interval."""
    table = {}
    for name, looked in new.items():
        table[name] = {"rates": looked.rates.as_dict()}
        if old:
            change = interval_of_difference(looked.reciprocal, old[name].reciprocal, looked.tunes)
            table[name] |= {"rates_of_incumbent": old[name].rates.as_dict(), "mrr_difference": list(change)}
    return table


def fused_rates(candidates: dict[str, Checkpoint]) -> dict[str, Any]:
    """The hit rates of both kinds together, where the round trained both."""
    if not {"short", "long"} <= set(candidates):
        return {}
    looks = promotion.fused_looks_of(candidates["short"], candidates["long"])
    return {name: looked.rates.as_dict() for name, looked in looks.items()}


def mined_figures(round: Round) -> dict[str, Any]:
    """What came of the mining: how much, how much of it is right by people, and by the truth where it is known."""
    sure = round.findings.sure()
    findings = list(sure.select_related("fragment__recording__song", "recording"))
    return {
        "sure": len(findings),
        "doubtful": round.findings.filter(is_sure=False).count(),
        "covers": len({finding.recording_id for finding in findings}),
        "seconds": round_s(sum(finding.end_s - finding.start_s for finding in findings)),
        # Of training songs alone: this one is a gate.
        "precision": judged_by_people(sure.of_training())._asdict(),
        "truth": {split: by_truth(round, of).as_dict() for split, of in (("seen", True), ("unseen", False))},
    }


def round_s(seconds: float) -> float:
    return float(f"{seconds:.1f}")


def judged_by_people(findings: Iterable[RoundFinding]) -> Counted:
    """How many of them people have judged, as cover fragments at their places, and found right."""
    states = Counter(there.state for there in map(fragment_at, findings) if there and there.checked_by_people)
    return Counted(states[State.ACCEPTED], states[State.ACCEPTED] + states[State.REJECTED])


def by_truth(round: Round, is_seen: bool) -> Tally:
    """The sure findings in generated covers against the truth about these: of songs that are trained on, or not."""
    tally = Tally()
    covers = Recording.objects.analysed().covers().filter(truth__has_key="time_map", song__in=mined_songs(round))
    for cover in covers:
        if (cover.song.split == Split.TRAIN) == is_seen:
            tally.add(cover, round.findings.sure().filter(recording=cover).select_related("fragment"))
    return tally


def mined_songs(round: Round) -> list[str]:
    return round.step(RoundStep.Name.MINE).outputs.get("mined", [])


# --- decide


def decide(turn: Turn) -> dict[str, Any]:
    """Promotes or refuses each candidate by the gates."""
    evaluated = turn.outputs_of(RoundStep.Name.EVALUATE)
    decisions = {}
    for kind, candidate in turn.candidates.items():
        if candidate.round_id != turn.round.pk:
            decisions[kind] = nothing_new(candidate)
            continue
        name = evaluated["kinds"][kind]["incumbent"]
        incumbent = Checkpoint.objects.get(pk=name) if name else None
        precisions = (found_right(turn.round), precision_of(incumbent)) if kind == MINES else (None, None)
        decision = promotion.decision_on(candidate, incumbent, *precisions)
        promotion.settle(candidate, decision)
        decisions[kind] = told(candidate, decision)
    return {"decisions": decisions}


def told(candidate: Checkpoint, decision: Decision) -> dict[str, Any]:
    """The decision as it is stored, the checkpoint named in its words."""
    return decision.as_dict() | {"checkpoint": candidate.pk, "words": f"{candidate.pk}: {decision.words}"}


def nothing_new(before: Checkpoint) -> dict[str, Any]:
    """The same material trains the same weights, and on these was decided when they were new."""
    words = f"{before.pk}: Training gave the weights of an earlier checkpoint, which is {before.standing}."
    return {"promote": False, "gates": [], "checkpoint": before.pk, "words": f"{words} Nothing changes."}


def found_right(round: Round) -> Counted | None:
    """What people said of what this round's checkpoint found; None where it mined nothing."""
    mined = round.step(RoundStep.Name.EVALUATE).outputs["mined"]
    return Counted(**mined["precision"]) if mined["sure"] else None


def precision_of(incumbent: Checkpoint | None) -> Counted | None:
    """What people said of what the one in use found, in the round that made it."""
    if incumbent is None or incumbent.round is None:
        return None
    outputs = incumbent.round.step(RoundStep.Name.EVALUATE).outputs
    return Counted(**outputs["mined"]["precision"]) if outputs else None


STEPS: dict[str, Callable[[Turn], dict[str, Any]]] = {
    RoundStep.Name.COLLECT: collect,
    RoundStep.Name.TRAIN: train_all,
    RoundStep.Name.CALIBRATE: calibrate,
    RoundStep.Name.MINE: mine_some,
    RoundStep.Name.DOUBLE_CHECK: double_check,
    RoundStep.Name.EVALUATE: evaluate,
    RoundStep.Name.DECIDE: decide,
}
