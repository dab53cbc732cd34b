"""What a release says of how it came to be and what to take care of, for Croissant's RAI part and the datasheet."""

from __future__ import annotations

from typing import Any

from recordings.release.described.words import counted, one_line, reviewers, simulated
from recordings.release.frozen.facts import Facts
from recordings.release.tables import REMOVED, WHY_GET_IT


def responsible(facts: Facts) -> dict[str, Any]:
    """Properties of the RAI vocabulary by their names, without those of which nothing is known."""
    told = {
        "dataCollection": COLLECTED,
        "dataCollectionType": ["User-generated content data", "Software Collection"],
        "dataCollectionMissingData": missing(facts),
        "dataCollectionRawData": RAW,
        "dataCollectionTimeFrame": facts.hummed,
        "dataPreprocessingProtocol": [PROCESSED],
        "dataAnnotationProtocol": [annotated(facts)] if facts.crowd.get("verdicts") else [],
        "dataAnnotationAnalysis": [agreement(facts)] if agreement(facts) else [],
        "annotationsPerItem": per_item(facts),
        "annotatorDemographics": [f"{DEMOGRAPHICS} {who_reviewed(facts)}".strip()],
        "machineAnnotationTools": tools(facts),
        "dataBiases": biases(facts),
        "dataUseCases": [USES],
        "dataLimitations": limitations(facts),
        "personalSensitiveInformation": [PERSONAL],
        "dataReleaseMaintenancePlan": MAINTAINED,
    }
    return {name: value for name, value in told.items() if value}


COLLECTED = (
    "People hum fragments of songs in a web browser; where the column simulated says so, a program made the hum "
    "instead. Covers of the same songs are searched for the fragments by a model, the checkpoint in the row. Hums and "
    "doubtful covers are double-checked by reviewers."
)
RAW = "Hums are given sample by sample as they came, never shifted; only the container of the file is written anew."
PROCESSED = (
    "To hums nothing was done. Originals and covers: cut at their interval. What a machine measured (offset, tempo, "
    "transposition, pitch) stands beside the audio and changes none of it."
)
DEMOGRAPHICS = (
    "Of singers: voluntary, and shown only where five or more singers share what is told. Of reviewers nothing is "
    "asked, and nothing is told here."
)
USES = (
    "Training and testing of query by humming, cover song identification, melody tracking and alignment. Not for "
    "finding out who a singer is, nor for imitating a voice."
)
PERSONAL = (
    "Hums are voices of people, who may be known by them. No name, address or file name of anybody is in a release; "
    "singers have a pseudonym that changes with every release."
)
MAINTAINED = (
    "A release never changes. What is withdrawn or taken down leaves the next release and is listed in its "
    f"{REMOVED}; anyone may report a version as wrong on its page, and the next changelog says what became of it."
)


def missing(facts: Facts) -> str:
    """How many versions have no audio, and why."""
    reasons = facts.statistics["named"].get("why_no_audio", {})
    if not reasons:
        return "Every version has its audio."
    told = "; ".join(f"{number}: {one_line(why)}" for why, number in sorted(reasons.items()))
    return f"Versions without audio in the release: {told}."


def annotated(facts: Facts) -> str:
    needed = facts.crowd.get("needed")
    settled = f"; {counted(needed, 'agreeing verdict settles', 'agreeing verdicts settle')} an item" if needed else ""
    return (
        "Reviewers hear a version beside its original, aligned, and say whether it is the same and in step, without "
        f"knowing what others said{settled}. Where they do not agree, an admin decides. Verdicts on planted test items "
        "are not counted."
    )


def agreement(facts: Facts) -> str:
    """How far reviewers agree; nothing if it cannot be told."""
    alpha = facts.crowd.get("alpha")
    return "" if alpha is None else f"Krippendorff's alpha over the counted verdicts: {alpha:.3f}."


def per_item(facts: Facts) -> str:
    if not facts.crowd.get("verdicts"):
        return ""
    verdicts = counted(facts.crowd["verdicts"], "counted verdict", "counted verdicts")
    return f"{verdicts} by {reviewers(facts.crowd)}; verdicts_for and verdicts_against say how many of each version."


def who_reviewed(facts: Facts) -> str:
    """How many of the reviewers are a program; nothing where none are."""
    if not facts.crowd.get("simulated_reviewers"):
        return ""
    return f"Not all of them are people: {reviewers(facts.crowd)}."


def tools(facts: Facts) -> list[str]:
    checkpoints = [
        f"{one_line(name)} found {counted(n, 'cover', 'covers')}" for name, n in sorted(facts.checkpoints.items())
    ]
    return checkpoints + [
        f"{one_line(name)} checked {counted(n, 'hum', 'hums')}" for name, n in sorted(facts.methods.items())
    ]


def biases(facts: Facts) -> list[str]:
    told = ["Songs are those that the publisher brought in; they are no sample of all music."]
    if facts.counts["cover"]:
        told.append(
            "Covers were found by a model among those that were brought in, so those that it misses are missing."
        )
    if facts.counts["humming"] > facts.counts["simulated"]:
        told.append("Singers chose to take part, so they do not stand for all who hum.")
    if told_of_simulated := simulated(facts.counts):
        told.append(f"{told_of_simulated} Results on simulated hums overstate those on real ones.")
    return told


def limitations(facts: Facts) -> list[str]:
    told = ["Offsets, tempo ratios and transpositions are measured by machines, and may be wrong."]
    by_machine = sum(facts.statistics["correlation"]["machine"])
    if by_machine:
        told.append(f"Not checked by people: {counted(by_machine, 'cover', 'covers')} (check_by_crowdsource is False).")
    elsewhere = facts.statistics["named"].get("why_no_audio", {}).get(WHY_GET_IT, 0)
    if elsewhere:
        told.append(
            f"{counted(elsewhere, 'version', 'versions')} only referred to by video and interval; videos may vanish."
        )
    return told
