"""datacite.json: what DataCite wants to know to register a DOI, in its metadata schema 4.6.

The attributes are named as its REST API takes them (https://support.datacite.org/docs/api-create-dois), and their
controlled words are those of the schema (https://datacite-metadata-schema.readthedocs.io/en/4.6/).
"""

from __future__ import annotations

import json
from typing import Any

from recordings.release.described.licence import ADDRESSES, OWN_LICENCE, OWN_LICENCE_NAME
from recordings.release.described.paper import ARXIV
from recordings.release.described.words import (
    counted,
    hours,
    in_short,
    of_kind,
    one_line,
    simulated,
    title,
    year,
)
from recordings.release.frozen.facts import Facts
from recordings.release.tables import AUDIO_TYPES

SCHEMA = "http://datacite.org/schema/kernel-4"
FORMATS = (
    "text/csv",
    "application/vnd.apache.parquet",
    "audio/flac",
    "application/json",
    "text/markdown",
)
SUBJECTS = ("query by humming", "cover song identification", "music information retrieval")


def datacite_of(facts: Facts) -> str:
    """The JSON. The year is that of freezing: when a release will be published is not known while it is written."""
    publisher = one_line(facts.publisher)
    told: dict[str, Any] = {
        "schemaVersion": SCHEMA,
        "types": {"resourceType": "Audio dataset with annotations", "resourceTypeGeneral": "Dataset"},
        "creators": [{"name": publisher, "nameType": "Organizational"}],
        "titles": [{"title": title(facts), "lang": "en"}],
        "publisher": {"name": publisher},
        "publicationYear": str(year(facts)),
        "version": facts.version,
        "language": "en",
        "subjects": [{"subject": subject, "lang": "en"} for subject in SUBJECTS],
        "dates": dates(facts),
        "descriptions": descriptions(facts),
        "rightsList": rights(facts),
        "relatedIdentifiers": related(facts),
        "sizes": sizes(facts),
        "formats": list(FORMATS),
    }
    if facts.doi:
        told["doi"] = facts.doi
    if facts.address:
        told["url"] = facts.address
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def dates(facts: Facts) -> list[dict[str, str]]:
    told = [{"date": facts.frozen_on, "dateType": "Created", "dateInformation": "The day on which it was frozen"}]
    if facts.hummed:
        days = "/".join((facts.hummed[0], facts.hummed[-1]))
        told.append({"date": days, "dateType": "Collected", "dateInformation": "First and last day of its hums"})
    return told


def descriptions(facts: Facts) -> list[dict[str, str]]:
    abstract = " ".join(part for part in (in_short(facts), simulated(facts.counts)) if part)
    told = [{"description": abstract, "descriptionType": "Abstract", "lang": "en"}]
    if facts.notes.strip():
        told.append({"description": one_line(facts.notes), "descriptionType": "Other"})
    return told


def rights(facts: Facts) -> list[dict[str, str]]:
    """The licence of tables and texts, and each other one that something in the release is under."""
    told = [
        {
            "rights": f"{OWN_LICENCE_NAME} (tables and texts)",
            "rightsUri": ADDRESSES[OWN_LICENCE],
            "rightsIdentifier": OWN_LICENCE,
            "rightsIdentifierScheme": "SPDX",
            "schemeUri": "https://spdx.org/licenses/",
            "lang": "en",
        }
    ]
    for licence in sorted(facts.statistics["licences"]):
        if licence and licence != OWN_LICENCE:
            known = {"rightsUri": ADDRESSES[licence]} if licence in ADDRESSES else {}
            told.append({"rights": f"{one_line(licence)} (audio whose row says so)", **known})
    return told


def related(facts: Facts) -> list[dict[str, str]]:
    """The paper, and the page of the release before; whether that one has a DOI is not known."""
    paper = {"relatedIdentifier": f"arXiv:{ARXIV}", "relatedIdentifierType": "arXiv"}
    told = [{**paper, "relationType": "References", "resourceTypeGeneral": "ConferencePaper"}]
    page = f"/{facts.version}/"
    if facts.history and facts.address.endswith(page):
        before = f"{facts.address.removesuffix(page)}/{facts.history[0]['version']}/"
        version = {"relatedIdentifier": before, "relatedIdentifierType": "URL", "relationType": "IsNewVersionOf"}
        told.append({**version, "resourceTypeGeneral": "Dataset"})
    return told


def sizes(facts: Facts) -> list[str]:
    counts = facts.counts
    told = [counted(counts["songs"], "song", "songs"), counted(counts["fragments"], "fragment", "fragments")]
    told += [of_kind(counts[kind], kind) for kind in AUDIO_TYPES]
    told.append(counted(counts["with_audio"], "audio file", "audio files"))
    return [*told, f"{hours(sum(counts['hours'].values()))} hours"]
