"""README.md: the card of a release, whose YAML head tells Hugging Face's `datasets` what to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from recordings.release.described.meanings import MEANINGS
from recordings.release.described.paper import BIBTEX, REFERENCE, REPOSITORY
from recordings.release.described.words import (
    NAME,
    at_doi,
    contents,
    counted,
    hours,
    in_short,
    link,
    of_kind,
    plain,
    simulated,
    singers,
    table,
    title,
    year,
)
from recordings.release.frozen.facts import Facts
from recordings.release.layout import (
    CHANGELOG,
    CITATION,
    CROISSANT,
    DATACITE,
    DATASHEET,
    DOWNLOAD,
    LICENCE,
    LOADER,
    SUMS,
    index_path,
)
from recordings.release.layout import CONFIGS as SHARDS_OF
from recordings.release.tables import (
    AUDIO_TYPES,
    DATASET,
    REMOVED,
    SPLITS,
    VERSIONS,
    VERSIONS_PARQUET,
    WHY_NO_AUDIO,
)

# The shards' configs, the first that there is by default; then the table of all versions, with or without audio.
CONFIGS = ("hums", "covers", "originals")
ALL_VERSIONS = "versions"
AUDIO_TYPE_OF = {config: kind for kind, config in SHARDS_OF.items()}
# One table for all splits, so it is in none. `datasets` keeps the word "all" for itself.
ALL_SPLITS = "full"

# How many rows, in the words of Hugging Face: up to so many, and what it is called.
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
LARGEST = "10M<n<100M"

Configs = Mapping[str, Mapping[str, list[str]]]


def card_of(facts: Facts, configs: Configs) -> str:
    """The card.

    Args:
        facts: of the release.
        configs: patterns of the shards, {config: {split: [patterns]}}.
    """
    parts = [
        f"---\n{head(facts, configs)}---",
        f"# {title(facts)}",
        overview(facts),
        "## Load it",
        loading(facts, configs),
        "## What is where",
        files(facts),
        "## Splits",
        splits(facts),
        "## Aligned in time",
        ALIGNED,
        "## Columns",
        columns(facts),
        "## Privacy, and what singers wish",
        PRIVACY,
        "## Removed",
        removed(facts),
        "## Cite it",
        citing(facts),
    ]
    return "\n\n".join(parts) + "\n"


def head(facts: Facts, configs: Configs) -> str:
    """The metadata in YAML."""
    told: dict[str, Any] = {
        "pretty_name": f"{NAME} {facts.version}",
        "license": "other",
        "license_name": "per-row",
        "license_link": LICENCE,
        "size_categories": [size_of(facts.counts["versions"])],
        "task_categories": ["audio-classification", "feature-extraction"],
        "tags": ["music", "audio", "query-by-humming", "cover-song-identification", "music-information-retrieval"],
        "configs": head_configs(configs),
    }
    if facts.counts["simulated"]:
        told["tags"].append("synthetic")
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=float("inf"))


def size_of(rows: int) -> str:
    return next((name for limit, name in SIZES if rows < limit), LARGEST)


def head_configs(configs: Configs) -> list[dict[str, Any]]:
    """The table of all versions, then the configs and their splits in a fixed order, without splits that have no rows.

    `datasets` tells from the first config what kind of files there are, whichever is asked for: that of the table never
    leaves, as a split's only shard may. What is loaded where nothing is asked for is the first config of the shards.
    """
    told: list[dict[str, Any]] = [
        {"config_name": ALL_VERSIONS, "data_files": [{"split": ALL_SPLITS, "path": VERSIONS_PARQUET}]}
    ]
    for config in in_order(configs, CONFIGS):
        there = {split: paths for split, paths in configs[config].items() if paths}
        if there:
            data = [{"split": split, "path": there[split]} for split in in_order(there, SPLITS)]
            told.append({"config_name": config, "data_files": data})
    told[min(1, len(told) - 1)]["default"] = True
    return told


def in_order(names: Mapping[str, Any], first: Sequence[str]) -> list[str]:
    """Those of `first` that there are, then the others by name."""
    return [name for name in first if name in names] + sorted(names.keys() - set(first))


def overview(facts: Facts) -> str:
    counts = facts.counts
    parts = [
        in_short(facts).replace(f"{NAME} {facts.version}", f"**{NAME} {facts.version}**", 1),
        f"Frozen on {facts.frozen_on}. This release never changes; a later one has another version.",
    ]
    if simulated(counts):
        parts.append(f"**{simulated(counts)}**")
    if facts.address:
        parts.append(f"Its page, with examples to hear: {link(facts.address)}")
    rows = [
        ["songs", counts["songs"]],
        ["fragments", counts["fragments"]],
        ["versions", f"{counts['versions']}: {', '.join(of_kind(counts[kind], kind) for kind in AUDIO_TYPES)}"],
        ["audio files", counts["with_audio"]],
        ["singers", singers(counts)],
        ["hours", ", ".join(f"{kind} {hours(counts['hours'].get(kind, 0.0))}" for kind in AUDIO_TYPES)],
    ]
    return "\n\n".join([*parts, table(["", ""], rows)])


def loading(facts: Facts, configs: Configs) -> str:
    """A line or two for each way."""
    folder = f"chad-{facts.version}"
    ways = []
    _, *shards = [config["config_name"] for config in head_configs(configs)]
    if shards:
        names = ", ".join(f'"{name}"' for name in shards)
        first = next(iter(in_order(configs[shards[0]], SPLITS)))
        ways.append(f'''\
With Hugging Face's `datasets`, audio included ({names}, and "{ALL_VERSIONS}" for the table of all versions); it needs
the folder `data` (`--part data` of download.py), and `torchcodec` to decode the audio, or `Audio(decode=False)`:

```python
from datasets import load_dataset

{shards[0]} = load_dataset("{folder}", "{shards[0]}", split="{first}")
```

When a hum is withdrawn, the shard that holds it leaves with it. The others still load, split by split; of a split
without any shard `datasets` says that it "corresponds to no data". The loader then has the rows that are left, in the
same columns, from the audio files. It needs no shard, and has what `{DOWNLOAD}` fetched of videos, too (inside the
folder; from elsewhere, `chad.Dataset("{folder}")` with `{LOADER}` on Python's path):

```python
import chad

{shards[0]} = chad.Dataset().to_datasets("{AUDIO_TYPE_OF[shards[0]]}")["{first}"]
```''')
    ways.append(f'''\
With pandas:

```python
import pandas as pd

versions = pd.read_parquet("{folder}/{VERSIONS_PARQUET}")
```''')
    ways.append(f'''\
With the loader in the folder, `{LOADER}`, which needs Python 3.9 or later, and NumPy and soundfile for audio and pitch
curves (inside the folder; from elsewhere, `chad.Dataset("{folder}")` with `{LOADER}` on Python's path):

```python
import chad

for original, hum in chad.Dataset().pairs(split="train", kind="humming"):
    if hum.audio_path:  # empty where its audio was withdrawn since, or left out
        samples, rate = hum.audio
```''')
    ways.append(f'''\
With `mlcroissant`:

```python
import mlcroissant as mlc

records = mlc.Dataset("{folder}/{CROISSANT}").records("{ALL_VERSIONS}")
```''')
    ways.append(f"""\
Missing files of the release, and what it only refers to, fetched from where it was published (`--help` tells more):

```
python {DOWNLOAD}{"" if facts.address else f" --from https://…/releases/{facts.version}/"}
```

The script that the authors of the first CHAD published ({REPOSITORY}) reads `{DATASET}` too, which has exactly its
columns. It cuts at whole seconds, `{DOWNLOAD}` to the millisecond.

```
python src/main.py --csv_path {folder}/{DATASET} --tgt_dir audio --extension .flac
```""")
    return "\n\n".join(ways)


def files(facts: Facts) -> str:
    what = {
        f"`{DATASET}`": "one row for each version of a fragment, in the columns of the first CHAD (ISMIR 2023)",
        f"`{VERSIONS}`": "the same versions in the same order: split, alignment, licence, sums, checks and more",
        "`metadata/*.parquet`": "both tables with types",
        f"`{index_path(facts.version)}`": "every version with its files and their MD5, in mirdata's form",
        "`{group_id}/{fragment_id}/{id}.flac`": (
            "audio, lossless; a group is a song, and the original's id is the fragment's. `.wav` where FLAC cannot "
            "hold the samples"
        ),
        "`data/{config}/{split}-*.parquet`": "the same audio in shards, for `datasets`; may be left out",
        "`f0/{group_id}/{fragment_id}/{id}.csv`": "pitch curves, lines of `seconds,Hz`; may be left out",
        f"`{LICENCE}`, `{DATASHEET}`, `{CHANGELOG}`, `{CITATION}`": "for people",
        f"`{CROISSANT}`, `{DATACITE}`, `metadata/release.json`": "for machines",
        f"`{LOADER}`, `{DOWNLOAD}`": "the loader, and what fetches missing files",
        f"`{REMOVED}`": "what earlier releases held and no release may hold any more",
        f"`{SUMS}`": f"`sha256sum -c {SUMS}` checks the files; `data` and `f0` have their own",
    }
    return table(["file", "what it is"], what.items())


def splits(facts: Facts) -> str:
    """Both splits and what they agree on, as tables."""
    statistics = facts.statistics
    by_song = table(
        ["split", "songs", "fragments", "originals", "covers", "hums", "singers", "hours"],
        [
            [split, *(side[name] for name in ("songs", "fragments", *AUDIO_TYPES, "singers")), hours(side["hours"])]
            for split, side in in_split_order(statistics["splits"])
        ],
    )
    by_singer = table(
        ["singer_split", "hums", "singers", "songs", "hours", "of them in the same `split`"],
        [
            [
                *(
                    split,
                    side["humming"],
                    side["singers"],
                    side["songs"],
                    hours(side["hours"]),
                    statistics["strict"][split],
                )
            ]
            for split, side in in_split_order(statistics["singer_splits"])
        ],
    )
    return f"""\
A song is in one split, in this release and in every later one: column `split`. Keep to it when you train and test.

{by_song}

For tests with voices that no model has heard there is a second split of the hums, by singer: column `singer_split`. For
the strictest test, with neither song nor singer known, train and test on the hums of which both columns say the same;
the last column counts them.

{by_singer}"""


def in_split_order(sides: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """What is in each split, in the order of the splits: facts that come from the database have lost it."""
    return [(split, sides[split]) for split in SPLITS]


ALIGNED = f"""\
A fragment's second `u` is heard in a version at `offset_s + u * tempo_ratio` seconds of its audio, `transposition`
semitones higher. Hums are whole takes, sample by sample as they were recorded; originals and covers are cut at their
intervals.

Where `audio` is empty, `why_no_audio` says why: {"; ".join(f'"{why}"' for why in WHY_NO_AUDIO)}. Intervals are seconds
of the video."""

PRIVACY = f"""\
Singers have a new pseudonym in every release, so that releases cannot be linked through them. What they tell of
themselves is in a release only where five or more singers share it. A voice may be known by whoever knows the singer:
please do not try to find out who anybody is.

The column `ai_training` says of each hum whether its singer lets AI models be trained on it. Please keep to it, and to
the newest release that has the hum.

A singer may withdraw a hum at any time. It leaves every later release and is listed in `{REMOVED}`."""


def columns(facts: Facts) -> str:
    """The meaning of each column that this release has, by table."""
    parts = []
    for path in (DATASET, VERSIONS):
        rows = [[f"`{name}`", MEANINGS[path][name]] for name in facts.columns[path]]
        parts.append(f"### {path}\n\n{table(['column', 'meaning'], rows)}")
    return "\n\n".join([*parts, "Times are in seconds. What is not known is empty."])


def removed(facts: Facts) -> str:
    """What stands in REMOVED.tsv, and what is asked of whoever has an earlier release."""
    if not facts.removed:
        return f"`{REMOVED}` lists what of earlier releases was withdrawn or taken down since; there is nothing so far."
    versions = counted(facts.removed, "version", "versions")
    return (
        f"`{REMOVED}` lists {versions} of earlier releases, withdrawn or taken down since. Please delete the copies "
        "that you have, and leave them out of what you train."
    )


def citing(facts: Facts) -> str:
    where = f" {link(at_doi(facts.doi))}" if facts.doi else ""
    return f"""\
The release: {plain(facts.publisher)}: {title(facts)} ({year(facts)}).{where}

The paper: {REFERENCE}

```bibtex
{bibtex(facts)}

{BIBTEX}
```"""


def bibtex(facts: Facts) -> str:
    """The release as BibTeX."""
    told = {
        "title": title(facts),
        "author": f"{{{plain_latex(facts.publisher)}}}",
        "year": str(year(facts)),
        "version": facts.version,
        "note": contents(facts.counts),
        "doi": facts.doi,
        "url": facts.address,
    }
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in told.items() if value)
    return f"@misc{{chad-{facts.version},\n{lines}}}"


LATEX = str.maketrans(
    {"{": "", "}": "", "\\": "", "`": "'", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "~": " "}
)


def plain_latex(text: str) -> str:
    """Somebody's words in an entry, which no brace of theirs may end."""
    return " ".join(text.split()).translate(LATEX)
