"""croissant.json: a release for machines, in Croissant 1.1 with its RAI extension.

Croissant: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html, RAI (how the data came to be, and what to
take care of): https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from recordings.release.described.card import bibtex
from recordings.release.described.licence import ADDRESSES, OWN_LICENCE
from recordings.release.described.meanings import MEANINGS
from recordings.release.described.responsible import responsible
from recordings.release.described.words import NAME, at_doi, in_short, one_line, simulated
from recordings.release.frozen.facts import Facts
from recordings.release.layout import part_of
from recordings.release.tables import (
    AUDIO_TYPES,
    DATASET,
    DATASET_COLUMNS,
    SPLITS,
    VERSIONS,
    VERSIONS_COLUMNS,
    Kind,
)

VERSION = "http://mlcommons.org/croissant/1.1"
RAI_VERSION = "http://mlcommons.org/croissant/RAI/1.0"

# What the names in the file stand for, as both specifications ask for it.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "description": {"@container": "@language"},
    "name": {"@container": "@language"},
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{
        name: f"cr:{name}"
        for name in (
            *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileObject"),
            *("fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
            *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate"),
            *("separator", "source", "subField", "transform"),
        )
    },
}

# Types of values, by what a column holds. An interval is text in the tables, a Python literal.
TYPES = {
    "text": "sc:Text",
    "number": "cr:Float64",
    "whole number": "cr:Int64",
    "flag": "sc:Boolean",
    "interval": "sc:Text",
}

FORMATS = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "parquet": "application/x-parquet",
    "json": "application/json",
    "md": "text/markdown",
    "cff": "application/yaml",
    "py": "text/x-python",
}
OTHER_FORMAT = "text/plain"

# Record sets, and the tables that they are.
TABLES = {"versions": (VERSIONS, VERSIONS_COLUMNS), "dataset": (DATASET, DATASET_COLUMNS)}
WORDS = {"splits": SPLITS, "audio_types": AUDIO_TYPES}
AUDIO = "audio-files"


def croissant_of(facts: Facts, sums: Mapping[str, str], audio: bool) -> str:
    """The JSON-LD.

    Args:
        facts: of the release.
        sums: SHA-256 of files of the release by path, both tables among them.
        audio: whether the release has audio files.
    """
    told: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [VERSION, RAI_VERSION],
        "name": NAME,
        "alternateName": f"{NAME} {facts.version}",
        "description": " ".join(part for part in (in_short(facts), simulated(facts.counts)) if part),
        "version": facts.version,
        "license": ADDRESSES[OWN_LICENCE],
        "citeAs": bibtex(facts),
        # The day of freezing: when a release will be published is not known while it is written.
        "dateCreated": facts.frozen_on,
        "datePublished": facts.frozen_on,
        "creator": organisation(facts),
        "publisher": organisation(facts),
        "keywords": ["music", "query by humming", "cover song identification", "music information retrieval"],
        "isLiveDataset": False,
    }
    if facts.address:
        told["url"] = facts.address
    if facts.doi:
        told["sameAs"] = at_doi(facts.doi)
    told |= {f"rai:{name}": value for name, value in responsible(facts).items()}
    told["distribution"] = [*(file_object(path, sums[path]) for path in sorted(sums) if not part_of(path))]
    if audio:
        told["distribution"].append(audio_files())
    told["recordSet"] = [*(words(name) for name in WORDS), *(table(name, facts) for name in TABLES)]
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def organisation(facts: Facts) -> dict[str, str]:
    address = {"url": facts.address} if facts.address else {}
    return {"@type": "sc:Organization", "name": one_line(facts.publisher), **address}


def file_object(path: str, sha256: str) -> dict[str, str]:
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "encodingFormat": FORMATS.get(path.rpartition(".")[2], OTHER_FORMAT),
        "sha256": sha256,
    }


def audio_files() -> dict[str, Any]:
    """The audio of all versions. A row of `versions` names its own file."""
    return {
        "@type": "cr:FileSet",
        "@id": AUDIO,
        "name": AUDIO,
        "description": "Audio at {group_id}/{fragment_id}/{id}.flac; where FLAC cannot hold the samples, .wav.",
        "encodingFormat": ["audio/flac", "audio/wav"],
        "includes": [f"*-*-*-*-*/*-*-*-*-*/*-*-*-*-*.{extension}" for extension in ("flac", "wav")],
    }


def words(name: str) -> dict[str, Any]:
    """The words that a column may hold."""
    kind = {"dataType": "cr:Split"} if name == "splits" else {"dataType": "sc:Enumeration"}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        **kind,
        "key": {"@id": f"{name}/name"},
        "field": [{"@type": "cr:Field", "@id": f"{name}/name", "name": f"{name}/name", "dataType": "sc:Text"}],
        "data": [{f"{name}/name": word} for word in WORDS[name]],
    }


def table(name: str, facts: Facts) -> dict[str, Any]:
    """One of the tables, a field for each column."""
    path, columns = TABLES[name]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"The rows of {path}.",
        "key": {"@id": f"{name}/id"},
        "field": [column_field(name, path, column, columns[column]) for column in facts.columns[path]],
    }


def column_field(name: str, path: str, column: str, kind: Kind) -> dict[str, Any]:
    field = {
        "@type": "cr:Field",
        "@id": f"{name}/{column}",
        "name": f"{name}/{column}",
        "description": MEANINGS[path][column],
        "dataType": ["sc:Text", "cr:Split"] if column == "split" else TYPES[kind.holds],
        "source": {"fileObject": {"@id": path}, "extract": {"column": column}},
    }
    # Not the other way round, nor from a split to its words: readers join what refers to something, and lose by it that
    # rows can be read one by one.
    if (name, column) == ("dataset", "id"):
        field["references"] = {"field": {"@id": "versions/id"}}
    return field
