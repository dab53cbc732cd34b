"""What a machine wants to know of a release first; the texts for people are in `described`."""

from __future__ import annotations

import json

from recordings.models import Release
from recordings.release.layout import ALWAYS, LATER, index_path


def card_of(release: Release) -> str:
    """What a machine wants to know first: whose release a folder is, and how many rows it has."""
    card = {
        "dataset": "CHAD",
        "version": release.version,
        "snapshot": release.settings["snapshot"],
        "frozen_on": release.created_at.date().isoformat(),
        "counts": release.settings["counts"],
        "removed": release.settings["removed"],
        "address": release.facts["address"],
        "contact": release.facts["contact"],
        "files": sorted({*ALWAYS, *LATER, index_path(release.version)}),
    }
    return json.dumps(card, indent=2, ensure_ascii=False) + "\n"
