"""DATASHEET.md: a release's answers to "Datasheets for Datasets" (Gebru et al., CACM 2021), from its facts alone.

What the facts do not hold is said to be unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recordings.release.described import responsible as rai
from recordings.release.described.card import removed, splits
from recordings.release.described.paper import REFERENCE
from recordings.release.described.words import (
    NAME,
    at_doi,
    code,
    contents,
    counted,
    hours,
    link,
    listed,
    plain,
    quoted,
    reviewers,
    simulated,
    singers,
    table,
    title,
)
from recordings.release.frozen.facts import Facts
from recordings.release.layout import CHANGELOG, LICENCE
from recordings.release.tables import AUDIO_TYPES, DATASET, REMOVED, VERSIONS

UNKNOWN = "Not known to whoever wrote this: nothing of it is recorded."

# What singers may tell of themselves and of what they sang into, and what an empty value says.
TOLD_OF_SINGERS = {
    "age_band": "age",
    "gender": "gender",
    "musical_training": "musical training",
    "device_class": "recorded on",
}
NOT_TOLD = "not told, or shared by fewer than five singers"

Answer = Callable[[Facts], str]


def datasheet_of(facts: Facts) -> str:
    parts = [f"# Datasheet of {title(facts)}", INTRODUCTION]
    for section, questions in SECTIONS.items():
        parts.append(f"## {section}")
        for question, answer in questions.items():
            parts += [f"### {question}", answer if isinstance(answer, str) else answer(facts)]
    return "\n\n".join(parts) + "\n"


INTRODUCTION = (
    'The questions are those of Gebru et al., "Datasheets for Datasets", Communications of the ACM 64 (12), 2021. The '
    "answers were made from the database when the release was frozen, not written by hand."
)


def creators(facts: Facts) -> str:
    hums = f" The hums are by {singers(facts.counts)}." if facts.counts["humming"] else ""
    return f"{plain(facts.publisher)}, who publishes it.{hums}"


def instances(facts: Facts) -> str:
    return (
        "Versions of fragments of songs. A fragment is an interval of a song, 4 to 20 seconds long; a version of it is "
        "the original's interval, the same fragment in a cover, or a take of somebody who hums it."
    )


def how_many(facts: Facts) -> str:
    counts = facts.counts
    lasting = [[kind, counts[kind], hours(counts["hours"].get(kind, 0.0))] for kind in AUDIO_TYPES]
    parts = [f"{contents(counts)}.", table(["type", "versions", "hours"], lasting)]
    return "\n\n".join([*parts, simulated(counts)] if counts["simulated"] else parts)


def sample(facts: Facts) -> str:
    of = ["songs that the publisher brought in", "fragments of them"]
    if facts.counts["humming"]:
        of.append(f"hums of them by {singers(facts.counts)}")
    if facts.counts["cover"]:
        of.append("covers that were found of them")
    return (
        f"A sample: of {listed(of)}. It is not random and stands for no larger set. What was rejected by the "
        "double-check, withdrawn or taken down is not in it."
    )


def missing(facts: Facts) -> str:
    return (
        f"{rai.missing(facts)} What singers tell of themselves is voluntary, and left out where fewer than five "
        "share it. What is not known is empty."
    )


def errors(facts: Facts) -> str:
    return " ".join([*rai.limitations(facts), "Anyone may report a version as wrong on its page."])


def subpopulations(facts: Facts) -> str:
    """What is told of the hums' singers, as a table for each column of which something is told."""
    parts = []
    for column, what in TOLD_OF_SINGERS.items():
        values = facts.statistics["named"].get(column, {})
        if any(values):
            rows = [[plain(value) or NOT_TOLD, hums] for value, hums in sorted(values.items(), reverse=True)]
            parts.append(table([what, "hums"], rows))
    if not parts:
        return "No: nothing is told of age, gender, musical training or device that five or more singers share."
    return "\n\n".join(["As the singers told it; nothing is guessed from the sound.", *parts])


def acquired(facts: Facts) -> str:
    parts = [rai.COLLECTED, rai.RAW]
    if facts.checkpoints:
        rows = [[code(name), covers] for name, covers in sorted(facts.checkpoints.items())]
        parts.append(table(["checkpoint", "covers that it found"], rows))
    if facts.methods:
        parts.append(
            table(["automatic check", "hums"], [[code(name), hums] for name, hums in sorted(facts.methods.items())])
        )
    return "\n\n".join(parts)


def validated(facts: Facts) -> str:
    if not facts.crowd.get("verdicts"):
        measured = " Automatic checks measured its hums." if facts.methods else ""
        return f"No verdicts of people are recorded for what is in this release.{measured}"
    told = " ".join(part for part in (rai.per_item(facts), rai.agreement(facts), rai.who_reviewed(facts)) if part)
    return f"{rai.annotated(facts)} {told}" + (
        "" if facts.crowd.get("alpha") is not None else " How far reviewers agree cannot be told from so few verdicts."
    )


def who_collected(facts: Facts) -> str:
    reviewing = f" {reviewers(facts.crowd)} judged what is in it." if facts.crowd.get("reviewers") else ""
    singing = f"The hums are by {singers(facts.counts)}." if facts.counts["humming"] else "There are no hums."
    return f"{singing}{reviewing} How anyone was paid, if at all, is not recorded."


def timeframe(facts: Facts) -> str:
    if not facts.hummed:
        return f"There are no hums. The release was frozen on {facts.frozen_on}."
    first, last = facts.hummed[0], facts.hummed[-1]
    return f"The hums were recorded from {first} to {last}. The release was frozen on {facts.frozen_on}."


NAMED = "The tables name the artists of songs and the performers of recordings."


def about_people(facts: Facts) -> str:
    counts = facts.counts
    if counts["humming"] == counts["simulated"]:
        return f"No person's hum is in it. {NAMED}"
    return f"Yes: hums are voices of people. {NAMED}"


def consented(facts: Facts) -> str:
    """The texts that singers agreed to, with the number of hums under each."""
    if not facts.consents:
        return "There are no hums that anyone had to consent to." if not facts.counts["humming"] else UNKNOWN
    parts = ["The column `consent_version` says of each hum which of these texts its singer agreed to."]
    if facts.counts["simulated"]:
        parts.append("Simulated singers are no people and agreed to nothing; their rows name the text of their day.")
    for version, consent in sorted(facts.consents.items()):
        parts.append(f"Version {plain(version)}, {counted(consent['hums'], 'hum', 'hums')}:")
        parts.append(quoted(consent["text"]) if consent["text"].strip() else "Its text was not kept.")
    return "\n\n".join(parts)


def training(facts: Facts) -> str:
    """How many hums their singers let models be trained on."""
    if not facts.counts["humming"]:
        return ""
    wishes = facts.statistics["named"].get("ai_training", {})
    yes, no = wishes.get("True", 0), wishes.get("False", 0)
    return (
        f"Singers are asked whether AI models may be trained on their hums: yes for {yes}, no for {no} of them (column "
        "`ai_training`). Leave out those that say no, and keep to the newest release that has the hum."
    )


def unfit(facts: Facts) -> str:
    return f"Finding out who a singer is, imitating a voice, or judging people by it. {training(facts)}".strip()


def processed(facts: Facts) -> str:
    tools = ", ".join(code(f"{name} {version}") for name, version in sorted(facts.tools.items()))
    return f"{rai.PROCESSED}{f' The files were written with {tools}.' if tools else ''}"


def distributed(facts: Facts) -> str:
    parts = []
    if facts.address:
        parts.append(f"On its page: {link(facts.address)}")
    if facts.doi:
        parts.append(f"Its DOI: {link(at_doi(facts.doi))}")
    return "\n\n".join(parts) or "As a folder of files. Its publisher told no address of it, and it has no DOI."


def licensed(facts: Facts) -> str:
    rows = [
        [plain(licence) or "none told", *(kinds.get(kind, 0) for kind in (*AUDIO_TYPES, "with_audio"))]
        for licence, kinds in sorted(facts.statistics["licences"].items())
    ]
    told = f"{LICENCE} says what may be done with which part; each row of {VERSIONS} has its own licence."
    return "\n\n".join([told, table(["licence", *AUDIO_TYPES, "with audio"], rows)]) if rows else told


def third_parties(facts: Facts) -> str:
    return "Recordings of others are under their own licences. Where none lets their audio be given, none is given."


def maintained(facts: Facts) -> str:
    where = f" Write to {link(facts.contact)}." if facts.contact.strip() else " How to write to it is not told."
    return f"{plain(facts.publisher)}.{where}"


def updated(facts: Facts) -> str:
    before = [release["version"] for release in facts.history]
    told = f" Earlier releases: {', '.join(before)}." if before else " This is the first."
    return f"{rai.MAINTAINED}{told} {CHANGELOG} has what each of them changed."


def erratum(facts: Facts) -> str:
    reports = (facts.changes or {}).get("reports", [])
    if not reports:
        return f"No report of something wrong was decided since the last release; {CHANGELOG} would name it."
    decided = counted(len(reports), "report", "reports")
    return f"{CHANGELOG} names each of {decided} of something wrong that was decided since the last release."


SECTIONS: Mapping[str, Mapping[str, str | Answer]] = {
    "Motivation": {
        "For what purpose was the dataset created?": (
            "To train and test query by humming: finding a song by a hum of it. It continues the dataset of this "
            f"paper, by its method: {REFERENCE}"
        ),
        "Who created it, and on behalf of whom?": creators,
        "Who funded it?": UNKNOWN,
    },
    "Composition": {
        "What do the instances represent?": instances,
        "How many instances are there of each type?": how_many,
        "Does it contain all possible instances, or is it a sample?": sample,
        "What data does each instance consist of?": (
            f"A row in {DATASET} and one in {VERSIONS}, and its audio where the licence allows; of some a pitch curve. "
            "The card says what each column means."
        ),
        "Is there a label or target for each instance?": (
            "The song and the fragment that it is a version of, and where and how the fragment is heard in it: offset, "
            "tempo ratio and transposition."
        ),
        "Is any information missing from individual instances?": missing,
        "Are relationships between instances made explicit?": (
            "Yes: `group_id` (song), `fragment_id`, and of hums `singer`, a pseudonym that holds within this release."
        ),
        "Are there recommended data splits?": splits,
        "Are there errors, sources of noise, or redundancies?": errors,
        "Is it self-contained, or does it rely on external resources?": lambda facts: (
            f"{rai.missing(facts)} Those that are referred to by video and interval rely on YouTube, where "
            "videos may vanish; `is_available` says whether they were there when the release was frozen. Nothing keeps "
            "a copy of them for it."
        ),
        "Does it contain data that might be considered confidential?": (
            "No name, address or file name of a singer is in it. The voices in people's hums are their own, given by "
            "them for this."
        ),
        "Does it contain data that might be offensive or cause anxiety?": (
            "Titles of songs and words of recordings are as they were published; nobody looked through them for that."
        ),
        "Does it relate to people?": about_people,
        "Does it identify subpopulations, and how are they distributed?": subpopulations,
        "Is it possible to identify individuals?": (
            "A singer may be known by the voice to whoever knows it. The pseudonym tells nothing, and changes with "
            "every release. Artists and performers are named."
        ),
        "Does it contain data that might be considered sensitive?": (
            "Voices, and what singers told of age, gender and musical training, where five or more share it."
        ),
    },
    "Collection process": {
        "How was the data acquired?": acquired,
        "How was it validated?": validated,
        "If it is a sample, what was the sampling strategy?": (
            "Songs: as the publisher brought them in. Fragments: as they were chosen in those songs. People's hums: of "
            "whoever came and sang. Nothing of it is random."
        ),
        "Who was involved in the collection, and how were they compensated?": who_collected,
        "Over what time was it collected?": timeframe,
        "Were any ethical review processes conducted?": UNKNOWN,
        "Was the data collected from the individuals directly?": (
            "Hums of people: from the singers, in their browsers. Originals and covers: from files or videos, as the "
            "column `source` says."
        ),
        "Were the individuals notified, and did they consent?": consented,
        "Can they revoke their consent?": (
            "Singers may withdraw a take, or delete their account with all takes, at any time. It leaves every later "
            f"release, and the next ones list it in {REMOVED}."
        ),
        "Has an analysis of the potential impact on them been conducted?": UNKNOWN,
    },
    "Preprocessing, cleaning, labelling": {
        "Was any of it done?": processed,
        "Was the raw data saved as well?": rai.RAW,
    },
    "Uses": {
        "Has it been used for any tasks already?": UNKNOWN,
        "What could it be used for?": rai.USES,
        "Is there anything that might impact future uses?": lambda facts: "\n".join(
            f"- {bias}" for bias in rai.biases(facts)
        ),
        "Are there tasks for which it should not be used?": unfit,
    },
    "Distribution": {
        "How is it distributed?": distributed,
        "Under which licence?": licensed,
        "Have third parties imposed restrictions on it?": third_parties,
        "Do export controls or other regulations apply?": UNKNOWN,
    },
    "Maintenance": {
        "Who maintains it, and how can they be reached?": maintained,
        "Is there an erratum?": erratum,
        "Will it be updated?": updated,
        "Are there limits on how long the data of people is kept?": (
            "No limit is set. What a singer withdraws is gone from every later release."
        ),
        "Will older versions be kept?": (
            "A published release never changes. What was withdrawn or taken down since is listed, in "
            f"{REMOVED} of the newest one."
        ),
        "What was removed since?": removed,
        "Can others contribute?": (
            f"Anyone may hum on the instance of {NAME} that publishes it, and report a version as wrong on its page."
        ),
    },
}
