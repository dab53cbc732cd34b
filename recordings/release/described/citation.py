"""CITATION.cff: how to cite a release, in the Citation File Format 1.2.0 (https://citation-file-format.github.io)."""

from __future__ import annotations

from typing import Any

import yaml

from recordings.release.described.licence import OWN_LICENCE
from recordings.release.described.paper import ADDRESS, ARXIV, AUTHORS, CONFERENCE, TITLE, YEAR
from recordings.release.described.words import at_doi, in_short, one_line, simulated, title
from recordings.release.frozen.facts import Facts


def citation_of(facts: Facts) -> str:
    told: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use this release, please cite it and the paper that it comes from.",
        "type": "dataset",
        "title": title(facts),
        "abstract": " ".join(part for part in (in_short(facts), simulated(facts.counts)) if part),
        "authors": [{"name": one_line(facts.publisher)}],
        "version": facts.version,
        "date-released": facts.frozen_on,
        # Of tables, texts and hums; the others have theirs in their rows.
        "license": OWN_LICENCE,
        "keywords": ["music", "query by humming", "cover song identification"],
    }
    if facts.doi:
        told["doi"] = facts.doi
    if facts.address:
        told["url"] = facts.address
    told["references"] = [
        {
            "type": "conference-paper",
            "title": TITLE,
            "authors": [{"family-names": family, "given-names": given} for family, given in AUTHORS],
            "collection-title": CONFERENCE,
            "conference": {"name": CONFERENCE},
            "year": YEAR,
            "identifiers": [{"type": "other", "value": f"arXiv:{ARXIV}"}],
            "url": ADDRESS,
        }
    ]
    if facts.doi:
        told["identifiers"] = [{"type": "url", "value": at_doi(facts.doi), "description": "This release."}]
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=float("inf"))
