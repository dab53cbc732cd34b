"""What describes a release: valid for those who read it, true to the facts, and the same bytes every time."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import date

import mlcroissant
import pandas as pd
import pytest
import yaml
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st

from recordings.release.described import words
from recordings.release.described.card import bibtex, card_of
from recordings.release.described.changelog import changelog_of
from recordings.release.described.citation import citation_of
from recordings.release.described.croissant import croissant_of
from recordings.release.described.datacite import datacite_of
from recordings.release.described.datasheet import SECTIONS, UNKNOWN, datasheet_of
from recordings.release.described.licence import licence_of
from recordings.release.described.meanings import MEANINGS
from recordings.release.described.mirdata_index import index_of
from recordings.release.described.responsible import responsible
from recordings.release.files.shards import audio_schema
from recordings.release.frozen.facts import Facts
from recordings.release.tables import (
    DATASET,
    DATASET_COLUMNS,
    DATASET_PARQUET,
    REMOVED,
    REMOVED_COLUMNS,
    VERSIONS,
    VERSIONS_COLUMNS,
    VERSIONS_PARQUET,
)
from recordings.tests.made_facts import (
    AWKWARD,
    EVERY,
    awkward,
    bare,
    changes,
    empty,
    facts,
    rows,
    statistics_of,
    write_folder,
)

SHARDS = {
    "originals": {"train": ["data/originals/train-*.parquet"], "test": ["data/originals/test-*.parquet"]},
    "hums": {"train": ["data/hums/train-*.parquet"], "validation": [], "test": ["data/hums/test-*.parquet"]},
    "covers": {"train": []},
}
SUMS = {DATASET: "1" * 64, VERSIONS: "2" * 64, "README.md": "3" * 64, "LICENSE": "4" * 64, "chad.py": "5" * 64}

TEXTS = {
    "README.md": lambda facts: card_of(facts, SHARDS),
    "DATASHEET.md": datasheet_of,
    "CHANGELOG.md": changelog_of,
    "LICENSE": licence_of,
    "CITATION.cff": citation_of,
    "croissant.json": lambda facts: croissant_of(facts, SUMS, True),
    "datacite.json": datacite_of,
}
MARKDOWN = ("README.md", "DATASHEET.md", "CHANGELOG.md")

every_text = pytest.mark.parametrize("text_of", TEXTS.values(), ids=TEXTS)
every_facts = pytest.mark.parametrize("made", EVERY.values(), ids=EVERY)


def head_of(card):
    """The YAML head of a card, and the rest."""
    _, head, body = re.split(r"^---$", card, maxsplit=2, flags=re.MULTILINE)
    return yaml.safe_load(head), body


def headings(text, level):
    return re.findall(rf"^{'#' * level} (.*)$", text, flags=re.MULTILINE)


# --- all of them


@every_text
@every_facts
def test_the_same_facts_give_the_same_text(text_of, made):
    text = text_of(made())
    assert text == text_of(Facts.of_json(json.loads(json.dumps(made().as_json()))))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "None" not in text
    assert not re.search(r"[ \t]$", text, flags=re.MULTILINE)


@every_text
@every_facts
def test_the_order_of_keys_says_nothing(text_of, made):
    """Facts that come from the database have their keys in an order of its own."""
    assert text_of(Facts.of_json(turned(made().as_json()))) == text_of(made())


def turned(value):
    """With the keys of everything in it the other way round."""
    if isinstance(value, dict):
        return {name: turned(part) for name, part in reversed(value.items())}
    return [turned(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", MARKDOWN)
def test_nobodys_words_change_the_structure_of_a_text(name):
    """Headings, rules and tables are as many as without the awkward words."""
    told = awkward()
    tame = Facts.of_json(json.loads(json.dumps(told.as_json()).replace(json.dumps(AWKWARD)[1:-1], "word")))
    for line in (r"#{1,6} .*", r"---|===|\*\*\*", r"\|.*\|", r"```.*", r"- .*", r"<.*"):
        found = [len(re.findall(rf"^{line}$", TEXTS[name](one), flags=re.MULTILINE)) for one in (told, tame)]
        assert found[0] == found[1], line
    # Each row of a table has the cells of its header.
    for table in re.findall(r"(?:^\|.*\|$\n?)+", TEXTS[name](told), flags=re.MULTILINE):
        assert len({row.replace(r"\|", "").count("|") for row in table.splitlines()}) == 1


@pytest.mark.parametrize("name", ["README.md", "DATASHEET.md", "CITATION.cff", "croissant.json", "datacite.json"])
def test_simulated_singers_are_called_simulated(name):
    counts = facts().counts
    assert "simulated" in TEXTS[name](facts())
    assert "All hums are by simulated singers" in TEXTS[name](facts(counts=counts | {"simulated": counts["humming"]}))
    without = statistics_of([row for row in rows() if row[1]["simulated"] == "False"])
    text = TEXTS[name](facts(counts=counts | {"simulated": 0}, statistics=without))
    assert "by simulated singers" not in text
    assert "simulated ones" not in text


def test_it_is_free_of_django():
    script = "import sys; sys.modules['django'] = None; import recordings.release.described as package; " + (
        "from importlib import import_module; from pkgutil import iter_modules; "
        "print([import_module(f'{package.__name__}.{one.name}').__name__ for one in iter_modules(package.__path__)])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "described.croissant" in done.stdout


# --- columns


def test_every_column_has_a_meaning_and_nothing_else_has():
    columns = {DATASET: DATASET_COLUMNS, VERSIONS: VERSIONS_COLUMNS, REMOVED: REMOVED_COLUMNS}
    assert {path: set(meanings) for path, meanings in MEANINGS.items()} == {
        path: set(names) for path, names in columns.items()
    }


def test_meanings_are_sentences_that_fit_into_a_table():
    for meanings in MEANINGS.values():
        for column, meaning in meanings.items():
            assert meaning.endswith("."), column
            assert not set(meaning) & set("|\n`<>"), column


# --- the card


def test_the_head_of_the_card_is_what_hugging_face_takes():
    head, body = head_of(card_of(facts(), SHARDS))
    assert head["license"] == "other"
    assert (head["license_name"], head["license_link"]) == ("per-row", "LICENSE")
    assert head["pretty_name"] == "CHAD 2026.11"
    assert head["size_categories"] == ["n<1K"]
    assert [config["config_name"] for config in head["configs"]] == ["versions", "hums", "originals"]
    hums = head["configs"][1]
    assert [config["config_name"] for config in head["configs"] if config.get("default")] == ["hums"]
    assert [data["split"] for data in hums["data_files"]] == ["train", "test"]
    assert hums["data_files"][0]["path"] == ["data/hums/train-*.parquet"]
    assert body.lstrip().startswith("# CHAD 2026.11")


@every_facts
def test_the_head_of_the_card_is_yaml_whatever_the_facts_are(made):
    head, body = head_of(card_of(made(), SHARDS))
    assert set(head) == set(head_of(card_of(facts(), SHARDS))[0])
    assert "## Load it" in body


def test_without_shards_there_is_the_table_of_versions():
    head, body = head_of(card_of(facts(), {}))
    assert head["configs"] == [
        {"config_name": "versions", "data_files": [{"split": "full", "path": VERSIONS_PARQUET}], "default": True}
    ]
    assert "load_dataset" not in body


SIZES = {0: "n<1K", 999: "n<1K", 1000: "1K<n<10K", 99_999: "10K<n<100K", 100_000: "100K<n<1M", 10**7: "10M<n<100M"}


@pytest.mark.parametrize(("versions", "size"), SIZES.items())
def test_size_categories(versions, size):
    card = card_of(facts(counts=facts().counts | {"versions": versions}), SHARDS)
    assert head_of(card)[0]["size_categories"] == [size]


def test_the_card_has_counts_columns_splits_and_how_to_cite():
    card = card_of(facts(), SHARDS)
    assert "2 songs, 2 fragments and 6 versions: 2 originals, 1 cover and 3 hums" in card
    assert "| train | 1 | 1 | 1 | 1 | 2 | 2 |" in card
    assert "| test | 2 | 1 | 2 | 0.0047 | 1 |" in card  # by singer, and one hum in both
    for column in (*DATASET_COLUMNS, *VERSIONS_COLUMNS):
        assert f"| `{column}` |" in card
    assert "<https://doi.org/10.5072/chad.2026.11>" in card
    assert "ISMIR 2023" in card
    assert "lists 2 versions of earlier releases" in card
    for way in ("load_dataset", "pd.read_parquet", "chad.Dataset()", "mlc.Dataset", "download.py", "src/main.py"):
        assert way in card


def test_the_card_tells_the_columns_that_the_release_has():
    columns = facts().columns | {VERSIONS: ["id", "split"]}
    assert "| `ai_training` |" not in card_of(facts(columns=columns), SHARDS)


def test_a_card_without_doi_and_page_names_none():
    card = card_of(bare(), SHARDS)
    assert "doi" not in card.lower()
    assert "Its page" not in card


@given(st.text(max_size=60))
def test_no_publisher_breaks_bibtex(publisher):
    entry = bibtex(facts(publisher=publisher))
    assert entry.count("{") == entry.count("}")
    depth = 0
    for char in entry:
        depth += (char == "{") - (char == "}")
        assert depth >= 0
    assert len(entry.splitlines()) == len(bibtex(facts()).splitlines())


def test_pandas_and_datasets_load_what_the_card_says(tmp_path, offline):
    folder = tmp_path / "chad-2026.11"
    made = rows()
    write_folder(folder, made)
    write_shards(folder, made)
    (folder / "README.md").write_text(card_of(facts(), SHARDS), encoding="utf-8")
    assert len(pd.read_parquet(folder / VERSIONS_PARQUET)) == len(made)
    cache = str(tmp_path / "cache")
    table = load_dataset(str(folder), "versions", split="full", cache_dir=cache)
    assert table["id"] == [row["id"] for _, row in made]
    hums = load_dataset(str(folder), cache_dir=cache)
    assert {split: len(part) for split, part in hums.items()} == {"train": 2, "test": 1}
    assert type(hums["train"].features["audio"]).__name__ == "Audio"
    assert len(load_dataset(str(folder), "originals", split="test", cache_dir=cache)) == 1


def test_where_a_splits_only_shard_left_all_else_still_loads(tmp_path, offline):
    folder, made = tmp_path / "chad-2026.11", rows()
    write_folder(folder, made)
    write_shards(folder, made)
    (folder / "README.md").write_text(card_of(facts(), SHARDS), encoding="utf-8")
    (folder / "data/hums/test-00000-of-00001.parquet").unlink()
    cache = str(tmp_path / "cache")
    assert len(load_dataset(str(folder), "hums", split="train", cache_dir=cache)) == 2
    assert len(load_dataset(str(folder), "versions", split="full", cache_dir=cache)) == len(made)
    assert set(load_dataset(str(folder), "originals", cache_dir=cache)) == {"train", "test"}
    with pytest.raises(ValueError, match="corresponds to no data"):
        load_dataset(str(folder), "hums", split="test", cache_dir=cache)


def write_shards(folder, made):
    """One shard for each config and split, as `data/` has them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from recordings.release.files.table_files import schema_of, typed

    kinds = {name: kind for name, kind in VERSIONS_COLUMNS.items() if name != "audio"}
    schema = audio_schema(schema_of(kinds))
    for config, kind in (("hums", "humming"), ("originals", "original")):
        for split in ("train", "test"):
            found = [row for _, row in made if (row["audio_type"], row["split"]) == (kind, split)]
            cells = [
                typed(row, kinds) | {"audio": {"bytes": (folder / row["audio"]).read_bytes(), "path": row["audio"]}}
                for row in found
            ]
            path = folder / f"data/{config}/{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(cells, schema), path)


@pytest.fixture
def offline(monkeypatch):
    """A network that must not be used."""

    def refuse(*args):
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# --- datasheet, changelog, licence


@every_facts
def test_the_datasheet_answers_every_question(made):
    text = datasheet_of(made())
    assert headings(text, 2) == list(SECTIONS)
    assert headings(text, 3) == [question for questions in SECTIONS.values() for question in questions]
    answers = re.split(r"^#{2,3} .*$", text, flags=re.MULTILINE)
    assert all(answer.strip() for answer in answers[2:] if answer != "\n\n")


def test_the_datasheet_is_of_the_facts():
    text = datasheet_of(facts())
    for told in (
        "0.812",
        "9 counted verdicts by 4 reviewers",
        "2026-10-01 to 2026-11-20",
        "short-7",
        "judge-3",
        "2 agreeing",
    ):
        assert told in text
    assert "> Anyone may hear it." in text
    assert "yes for 2, no for 1" in text
    assert "Not checked by people: 1 cover" in text
    assert "<chad@example.org>" in text


def test_a_program_that_reviewed_and_covers_that_there_are_not_are_told():
    crowd = facts().crowd
    some, all_of_them = (facts(crowd=crowd | {"simulated_reviewers": number}) for number in (1, 4))
    assert "9 counted verdicts by 4 reviewers, 1 of them simulated" in datasheet_of(some)
    assert "4 simulated reviewers judged what is in it" in datasheet_of(all_of_them)
    assert "4 simulated reviewers" in responsible(all_of_them)["annotatorDemographics"][0]
    counts = facts().counts
    without = facts(counts=counts | {"cover": 0}, checkpoints={})
    assert "in cover versions" in card_of(facts(), SHARDS)
    assert "in cover versions" not in card_of(without, SHARDS)
    assert "covers that were found" not in datasheet_of(without)


def test_the_datasheet_claims_nothing_that_is_not_known():
    text = datasheet_of(bare())
    assert text.count(UNKNOWN) >= 4
    for claim in ("Krippendorff", "Reviewers hear", "Write to", "doi.org", "voices of people"):
        assert claim not in text
    assert "No verdicts of people are recorded" in text
    assert "How to write to it is not told" in text


def test_agreement_that_cannot_be_told_is_not():
    text = datasheet_of(facts(crowd=facts().crowd | {"alpha": None}))
    assert "Krippendorff" not in text
    assert "cannot be told from so few verdicts" in text


def test_the_changelog_names_every_report_and_what_is_gone():
    text = changelog_of(facts())
    assert headings(text, 2) == [
        "2026.11, frozen on 2026-11-27",
        "2026.10, published on 2026-10-02",
        "2026.9, published on 2026-09-02",
    ]
    first = text.split("## 2026.10")[0]
    assert "> A second song." in first
    assert "Against 2026.10:" in first
    assert "New: 2 hums and 1 original; new are 1 fragment and 1 song." in first
    assert "| v-1 | f-1 | cover | wrong song | removed |" in first
    assert "| v-2 | f-1 | humming | noise | kept |" in first
    assert "| v-3 | f-2 | humming | withdrawn |" in first
    assert "0 versions" not in text
    assert "What it changed was not kept." in text


def test_a_first_release_and_one_without_changes_say_so():
    assert "The first release." in changelog_of(bare())
    none = {"added": {}, "removed": {"withdrawn": 0}, "changed": 0, "reports": [], "listed": []}
    assert "- Nothing changed." in changelog_of(facts(changes=changes() | none))
    first = changes() | none | {"against": None, "added": {"original": 1}}
    assert "The first release.\n\n- New: 1 original, of 1 fragment and 1 song." in changelog_of(facts(changes=first))


def test_the_licence_names_every_licence_in_the_release():
    text = licence_of(facts())
    assert "CC-BY-4.0 (https://creativecommons.org/licenses/by/4.0/): 3 hums, 3 of them with audio" in text
    assert (
        "CC0-1.0 (https://creativecommons.org/publicdomain/zero/1.0/): 2 originals and 1 cover, 2 of them with audio"
        in text
    )
    assert "the singers of CHAD 2026.11" in text
    assert "Hums: there are none" in licence_of(bare())
    assert max(map(len, licence_of(facts()).splitlines())) <= 120


# --- citation, DataCite


@every_facts
def test_the_citation_file_is_what_the_format_asks_for(made):
    told = yaml.safe_load(citation_of(made()))
    assert told["cff-version"] == "1.2.0"
    for needed in ("message", "title", "authors", "version", "date-released"):
        assert told[needed]
    assert told["authors"] == [{"name": words.one_line(made().publisher)}]
    assert date.fromisoformat(told["date-released"]) == date(2026, 11, 27)
    assert ("doi" in told, "url" in told) == (bool(made().doi), bool(made().address))
    paper = told["references"][0]
    assert [author["family-names"] for author in paper["authors"]][:2] == ["Amatov", "Lamanov"]
    assert paper["year"] == 2023


# The words that the schema allows, of those that matter here.
DATACITE_WORDS = {
    "dateType": {
        *("Accepted", "Available", "Collected", "Copyrighted", "Coverage", "Created", "Issued", "Other", "Submitted"),
        *("Updated", "Valid", "Withdrawn"),
    },
    "descriptionType": {"Abstract", "Methods", "SeriesInformation", "TableOfContents", "TechnicalInfo", "Other"},
    "nameType": {"Organizational", "Personal"},
    "relationType": {"Cites", "References", "IsDerivedFrom", "IsDescribedBy", "IsNewVersionOf", "IsVersionOf"},
    "relatedIdentifierType": {"arXiv", "DOI", "URL"},
    "resourceTypeGeneral": {"ConferencePaper", "Dataset", "Preprint"},
}


@every_facts
def test_datacite_has_what_it_requires_in_its_own_words(made):
    told = json.loads(datacite_of(made()))
    assert told["schemaVersion"] == "http://datacite.org/schema/kernel-4"
    assert told["types"]["resourceTypeGeneral"] == "Dataset"
    assert re.fullmatch(r"[0-9]{4}", told["publicationYear"])
    assert all(creator["name"] for creator in told["creators"])
    assert all(one["title"] for one in told["titles"])
    assert told["publisher"]["name"]
    assert ("doi" in told, "url" in told) == (bool(made().doi), bool(made().address))
    for name, text in words_in(told):
        assert text in DATACITE_WORDS.get(name, {text}), name
    for part in ("subjects", "dates", "descriptions", "rightsList", "relatedIdentifiers", "sizes", "formats"):
        assert len({json.dumps(one, sort_keys=True) for one in told[part]}) == len(told[part]), part


def words_in(told):
    """Every name with its text, at any depth."""
    for name, value in told.items() if isinstance(told, dict) else ((None, one) for one in told):
        if isinstance(value, dict | list):
            yield from words_in(value)
        elif name is not None:
            yield name, value


def test_datacite_relates_to_the_paper_and_the_release_before():
    told = json.loads(datacite_of(facts()))
    related = {one["relationType"]: one["relatedIdentifier"] for one in told["relatedIdentifiers"]}
    assert related == {
        "References": "arXiv:2312.01092",
        "IsNewVersionOf": "https://chad.example.org/releases/2026.10/",
    }
    assert len(json.loads(datacite_of(facts(history=[])))["relatedIdentifiers"]) == 1
    assert "3 hums" in told["sizes"]
    assert {"date": "2026-10-01/2026-11-20", "dateType": "Collected"}.items() <= told["dates"][1].items()


# --- Croissant


@every_facts
@pytest.mark.parametrize("audio", [True, False])
def test_mlcroissant_finds_no_fault(tmp_path, offline, made, audio):
    write_folder(tmp_path)
    dataset = croissant_in(tmp_path, made(), audio)
    assert dataset.metadata.ctx.issues.errors == set()
    assert dataset.metadata.ctx.issues.warnings == set()
    assert dataset.metadata.conforms_to[0] == "http://mlcommons.org/croissant/1.1"
    assert len(dataset.metadata.file_sets) == audio
    assert dataset.metadata.data_release_maintenance_plan


def croissant_in(folder, told, audio=True):
    """The description of a folder with its true sums, written there and loaded."""
    paths = (DATASET, VERSIONS, DATASET_PARQUET, VERSIONS_PARQUET)
    sums = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in paths}
    (folder / "croissant.json").write_text(croissant_of(told, sums, audio), encoding="utf-8")
    return mlcroissant.Dataset(folder / "croissant.json")


def test_mlcroissant_gives_the_rows_with_types(tmp_path, offline):
    made = rows()
    made[0][1]["title"] = 'Größe, "laut"\n---'
    write_folder(tmp_path, made)
    dataset = croissant_in(tmp_path, facts())
    versions = list(dataset.records("versions"))
    assert [row["versions/id"].decode() for row in versions] == [row["id"] for _, row in made]
    assert versions[0]["versions/title"].decode() == made[0][1]["title"]
    hum = versions[2]
    assert (hum["versions/sample_rate"], hum["versions/simulated"], hum["versions/ai_training"]) == (8000, False, True)
    assert hum["versions/gender"] is None
    assert {f"versions/{column}" for column in VERSIONS_COLUMNS} == set(hum)
    of_dataset = list(dataset.records("dataset"))
    assert [row["dataset/duration"] for row in of_dataset] == [8.5] * len(made)
    assert [row["splits/name"] for row in dataset.records("splits")] == ["train", "validation", "test"]


def test_croissant_names_the_sums_of_the_files():
    told = json.loads(croissant_of(facts(), SUMS, True))
    files = {one["contentUrl"]: one["sha256"] for one in told["distribution"] if one["@type"] == "cr:FileObject"}
    assert files == SUMS


def test_croissant_describes_every_column_and_refers_from_table_to_table():
    told = json.loads(croissant_of(facts(), SUMS, True))
    sets = {one["@id"]: one for one in told["recordSet"]}
    assert set(sets) == {"splits", "audio_types", "versions", "dataset"}
    assert sets["versions"]["key"] == {"@id": "versions/id"}
    fields = {field["@id"]: field for field in (*sets["versions"]["field"], *sets["dataset"]["field"])}
    assert all(field["description"] for field in fields.values())
    assert fields["dataset/id"]["references"] == {"field": {"@id": "versions/id"}}
    assert fields["versions/split"]["dataType"] == ["sc:Text", "cr:Split"]
    assert fields["versions/offset_s"]["dataType"] == "cr:Float64"
    assert [one["@id"] for one in told["distribution"]] == [*sorted(SUMS), "audio-files"]


def test_croissant_says_how_the_data_came_to_be():
    told = json.loads(croissant_of(facts(), SUMS, True))
    assert told["rai:dataCollectionTimeFrame"] == ["2026-10-01", "2026-11-20"]
    assert any("Krippendorff" in text for text in told["rai:dataAnnotationAnalysis"])
    assert any("short-7 found 1 cover" in text for text in told["rai:machineAnnotationTools"])
    without = json.loads(croissant_of(bare(), SUMS, False))
    assert not {"rai:dataCollectionTimeFrame", "rai:dataAnnotationAnalysis", "url", "sameAs"} & set(without)


def test_parts_that_may_be_left_out_are_no_files_of_croissant():
    sums = SUMS | {"data/hums/train-00000-of-00001.parquet": "6" * 64, "f0/SHA256SUMS": "7" * 64}
    assert croissant_of(facts(), sums, True) == croissant_of(facts(), SUMS, True)


# --- the index

FILES = st.none() | st.tuples(st.text(max_size=20), st.text("0123456789abcdef", min_size=32, max_size=32))


@given(st.text(max_size=10), st.dictionaries(st.text(max_size=10), st.tuples(FILES, FILES), max_size=6))
def test_the_index_is_json_with_every_track(version, tracks):
    in_order = [(track, dict(zip(("audio", "f0"), files, strict=True))) for track, files in sorted(tracks.items())]
    text = "".join(index_of(version, iter(in_order), {"dataset": (DATASET, "0" * 32)}))
    assert text == "".join(index_of(version, iter(in_order), {"dataset": (DATASET, "0" * 32)}))
    assert json.loads(text) == {
        "version": version,
        "tracks": {
            track: {name: list(file) if file else [None, None] for name, file in files.items()}
            for track, files in in_order
        },
        "metadata": {"dataset": [DATASET, "0" * 32]},
    }


@pytest.mark.parametrize("ids", [["b", "a"], ["a", "a"]])
def test_an_index_out_of_order_is_refused(ids):
    with pytest.raises(ValueError, match="by id, each once"):
        list(index_of("1", [(track, {"audio": None}) for track in ids], {}))


def test_the_index_is_written_track_by_track():
    """No more than one track is asked for before what it gives is handed on."""
    asked = []

    def tracks():
        for number in range(1000):
            asked.append(number)
            yield f"{number:04}", {"audio": None}

    pieces = index_of("1", tracks(), {})
    for _ in range(3):
        next(pieces)
    assert len(asked) <= 2


# --- words


@given(st.text(max_size=80))
def test_plain_words_stay_on_one_line_and_in_one_cell(text):
    told = words.plain(text)
    assert len(told.splitlines()) <= 1
    assert "|" not in re.sub(r"\\.", "", told)
    assert not re.match(r"[-+=#>]|\d+[.)]", told)
    assert re.sub(r"\\(.)", r"\1", told) == words.one_line(text)


@given(st.text(max_size=80))
def test_every_line_of_a_quotation_is_one(text):
    assert all(line.startswith(">") for line in words.quoted(text).splitlines())


def test_counts_in_words():
    assert words.counted(1, "hum", "hums") == "1 hum"
    assert words.counted(0, "hum", "hums") == "0 hums"
    assert [words.listed(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert [words.hours(number) for number in (0, 0.0071, 0.5, 15.834, 1234.5)] == [
        "0",
        "0.0071",
        "0.50",
        "15.83",
        "1234.50",
    ]


def test_nothing_of_an_empty_release_is_made_up():
    for text_of in TEXTS.values():
        assert text_of(replace(empty(), notes="")) == text_of(empty())
