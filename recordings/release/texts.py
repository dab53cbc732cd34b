"""The texts of a release, made when it is frozen and kept with it."""

from __future__ import annotations

import json
from typing import Any

from recordings.models import Release
from recordings.release.tables import REMOVED, WHY_GET_IT, WHY_NO_WAY, WHY_NOT_STORED

README = "README.md"
LICENCE = "LICENSE"
CARD = "metadata/release.json"
SUMS = "SHA256SUMS"

README_TEXT = """\
---
pretty_name: CHAD {version}
license: other
license_name: per-row
license_link: LICENSE
task_categories:
- audio-classification
tags:
- music
- query-by-humming
- cover-song-identification
---

# CHAD {version}: Covers and Hummings Aligned Dataset

Fragments of songs, 4 to 20 s long, each with people's hums of it and with the same fragment in cover versions.
Frozen on {frozen_on}. This release never changes; a later one has another version.

| | |
|---|---|
| songs | {songs} ({splits}) |
| fragments | {fragments} |
| versions | {versions}: {original} originals, {cover} covers, {humming} hums |
| audio files | {with_audio} |
| singers | {singers} |
| hours | {hours} |
{simulated}
## What is where

- `metadata/dataset.csv`: one row for each version of a fragment, in the columns of CHAD (Amatov et al., ISMIR 2023).
- `metadata/versions.csv`: the same versions in the same order, with split, alignment, licence, checksum and more.
- `{{group_id}}/{{fragment_id}}/{{id}}.flac`: audio. A group is a song. The original's id is the fragment's.
- `{removed_file}`: {removed_words}
- `SHA256SUMS`: check the files with `sha256sum -c SHA256SUMS`.

A fragment's second `u` is heard in a version at `offset_s + u * tempo_ratio` seconds of its audio, `transposition`
semitones higher. Hums are whole takes, sample by sample as they were recorded. A song is in one split, in this
release and in every later one; keep to `split` when you train and test.

The column `ai_training` says of each hum whether its singer lets AI models be trained on it. Please keep to it.

Where `audio` is empty, `why_no_audio` says why:
- "{why_get_it}": the interval is in seconds of that video;
- "{why_no_way}";
- "{why_not_stored}".

Singers have a new pseudonym in every release, so that releases cannot be linked through them. Please do not try to
find out who they are.

## Load it

```python
import pandas as pd

dataset = pd.read_csv("metadata/dataset.csv")
versions = pd.read_csv("metadata/versions.csv")
train = versions[versions["split"] == "train"]
```

## Cite it

Amatov, Lamanov, Titov, Vovk, Makarov, Kudinov: "A Semi-Supervised Deep Learning Approach to Dataset Collection for
Query-by-Humming Task", ISMIR 2023, and the version of this release, CHAD {version}.
"""

LICENCE_TEXT = """\
The licence of CHAD {version}

Hums, tables and texts: Creative Commons Attribution 4.0 International (CC BY 4.0),
https://creativecommons.org/licenses/by/4.0/. Attribute them to "the singers of CHAD {version}".

Originals and covers: each under the licence that stands in its row of metadata/versions.csv, column "licence", and
by the performer in the column "performer". Where a row has no audio, this release gives only a reference to a
recording that others published, and no right to it.
"""


def texts_of(release: Release) -> dict[str, str]:
    """Every text of a release that is no table, by its path. Needs `release.settings` with counts and snapshot."""
    counts = release.settings["counts"]
    facts: dict[str, Any] = {
        **counts,
        "version": release.version,
        "frozen_on": release.created_at.date().isoformat(),
        "splits": ", ".join(f"{name} {count}" for name, count in counts["songs_of_split"].items()),
        "hours": ", ".join(f"{name} {hours:.2f}" for name, hours in counts["hours"].items()),
        "simulated": simulated_words(counts),
        "removed_file": REMOVED,
        "removed_words": removed_words(release.settings["removed"]),
        "why_get_it": WHY_GET_IT,
        "why_no_way": WHY_NO_WAY,
        "why_not_stored": WHY_NOT_STORED,
    }
    return {
        README: README_TEXT.format(**facts),
        LICENCE: LICENCE_TEXT.format(**facts),
        CARD: card_of(release),
    }


def simulated_words(counts: dict[str, Any]) -> str:
    if not counts["simulated"]:
        return ""
    return f"\n{counts['simulated']} of the hums are by simulated singers, not by people: column `simulated`.\n"


def removed_words(number: int) -> str:
    """What stands in REMOVED.tsv, and what is asked of whoever has an earlier release."""
    if not number:
        return "versions of earlier releases that were withdrawn or taken down since; there are none."
    versions = "1 version" if number == 1 else f"{number} versions"
    return (
        f"{versions} of earlier releases, withdrawn by their singers or taken down since.\n"
        "  Please delete your copies of them, and leave them out of what you train."
    )


def card_of(release: Release) -> str:
    """What a machine wants to know first: whose release a folder is, and how many rows it has."""
    card = {
        "dataset": "CHAD",
        "version": release.version,
        "snapshot": release.settings["snapshot"],
        "frozen_on": release.created_at.date().isoformat(),
        "counts": release.settings["counts"],
        "removed": release.settings["removed"],
    }
    return json.dumps(card, indent=2, ensure_ascii=False) + "\n"
