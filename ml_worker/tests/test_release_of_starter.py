"""A release of the starter catalogue with simulated singers: in order, told of each fault, and loaded by the field's
own tools. Synthetic from end to end."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import mlcroissant
import numpy as np
import pandas as pd
import pytest
import soundfile
from datasets import Audio, load_dataset
from django.core.management import call_command

from ml_worker.work.released_data import released_pairs
from recordings.models import Release
from recordings.release import verify
from recordings.release.shipped import chad
from recordings.tests import factories

pytestmark = pytest.mark.slow

VERSIONS = "metadata/versions.csv"


@pytest.fixture(scope="module")
def kept(tmp_path_factory) -> dict[str, Path]:
    """The folders of the release, once they are made."""
    return {}


@pytest.fixture
def made(kept, request, monkeypatch, tmp_path_factory) -> dict[str, Path]:
    """Two songs of the catalogue, hummed and double-checked by simulated people, released as `one` and `two`.

    Only the first test that asks for it needs a database.
    """
    if not kept:
        request.getfixturevalue("transactional_db")
        settings = request.getfixturevalue("settings")
        folder = tmp_path_factory.mktemp("starter")
        factories.use_storage(settings, folder / "storage")
        monkeypatch.setattr("ml_worker.work.starter.COVERS_OF_A_TUNE", 1)
        call_command("simulate", songs=2, singers=5, takes=6, reviewers=3, rounds=0, json=True)
        for name in ("one", "two"):
            call_command("export_release", "1.0", out=folder / name, notes="Simulated.", json=True)
            kept[name] = folder / name
        assert Release.objects.get().is_published
    return kept


@pytest.fixture
def copy(made, tmp_path) -> Path:
    return shutil.copytree(made["one"], tmp_path / "copy")


@pytest.fixture
def offline(monkeypatch, tmp_path) -> Iterator[Path]:
    """No tool may ask a hub; what `datasets` makes of the shards stays in a folder of this test."""
    monkeypatch.setattr("socket.socket.connect", refused)
    return tmp_path / "cache"


def refused(*address: object) -> None:
    raise OSError(f"A release is loaded without a network: {address}")


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def hums_of(folder: Path) -> pd.DataFrame:
    versions = pd.read_csv(folder / VERSIONS)
    return versions[versions["audio_type"] == "humming"]


# --- in order, and each fault named


def test_it_is_in_order_and_says_who_sang_it(made):
    findings = verify(made["one"])
    assert findings.lines == []
    assert findings.counts["humming"] > 10
    assert findings.counts["audio_files"] == findings.counts["versions"]
    assert set(hums_of(made["one"])["simulated"]) == {True}
    assert "simulated" in (made["one"] / "DATASHEET.md").read_text()
    assert set(hums_of(made["one"])["decided_by"]) == {"people"}
    assert (hums_of(made["one"])["verdicts_for"] >= 2).all()


def test_two_exports_have_the_same_bytes(made):
    assert contents(made["one"]) == contents(made["two"])


def test_a_flipped_byte_a_moved_row_and_a_missing_file_are_each_named(copy):
    hums = hums_of(copy)
    flipped, missing, moved = (hums.iloc[place] for place in (0, 1, 2))
    data = bytearray((copy / flipped["audio"]).read_bytes())
    data[-100] ^= 1
    (copy / flipped["audio"]).write_bytes(data)
    (copy / missing["audio"]).unlink()
    other = {"train": "test"}.get(moved["split"], "train")
    text = (copy / VERSIONS).read_text()
    line = next(line for line in text.splitlines() if line.startswith(moved["id"]))
    (copy / VERSIONS).write_text(text.replace(line, line.replace(f",{moved['split']},", f",{other},", 1)))
    lines = verify(copy).lines
    assert f"{flipped['audio']}: was changed: its sum is not the one in SHA256SUMS" in lines
    assert f"{missing['audio']}: is missing" in lines
    assert f"{VERSIONS}: was changed: its sum is not the one in SHA256SUMS" in lines
    assert any(f"humming {moved['id']} is in split {other}; its song" in line for line in lines)
    assert any(f"the song {moved['group_id']} leaks over the splits" in line for line in lines)


# --- loaded by the field's own tools, offline


def test_datasets_loads_it_in_one_line(made, offline):
    """With the audio inside; `datasets` itself decodes it where torchcodec is installed."""
    hums = load_dataset(str(made["one"]), "hums", cache_dir=str(offline))
    rows = [row for split in hums.values() for row in split.cast_column("audio", Audio(decode=False))]
    assert {row["id"] for row in rows} == set(hums_of(made["one"])["id"])
    for split, part in hums.items():
        assert isinstance(part.features["audio"], Audio)
        assert set(part["split"]) == {split}
    row = rows[0]
    assert row["audio"]["bytes"] == (made["one"] / row["audio"]["path"]).read_bytes()
    versions = load_dataset(str(made["one"]), "versions", cache_dir=str(offline))
    assert sum(len(part) for part in versions.values()) == len(pd.read_csv(made["one"] / VERSIONS))


def test_what_is_left_of_it_is_loaded_as_datasets_does_without_a_shard(made, copy, offline):
    """When a hum was withdrawn, its file and the shard that holds it are not given any more."""
    shards = load_dataset(str(made["one"]), "hums", cache_dir=str(offline))
    whole = chad.Dataset(made["one"]).to_datasets()
    assert {name: split.features for name, split in whole.items()} == {
        name: split.features for name, split in shards.items()
    }
    plain = {name: split.remove_columns("audio") for name, split in shards.items()}
    assert {name: split.remove_columns("audio").to_list() for name, split in whole.items()} == {
        name: split.to_list() for name, split in plain.items()
    }
    withdrawn = hums_of(copy).iloc[0]
    (copy / withdrawn["audio"]).unlink()
    shutil.rmtree(copy / "data")
    with pytest.warns(UserWarning, match=r"^1 of \d+ versions of the type humming have no audio here and are left out"):
        left = chad.Dataset(copy).to_datasets("humming")
    rows = [row for split in left.values() for row in split.cast_column("audio", Audio(decode=False))]
    assert {row["id"] for row in rows} == set(hums_of(copy)["id"]) - {withdrawn["id"]}
    assert all(Path(row["audio"]["path"]).is_file() for row in rows)
    with pytest.warns(UserWarning, match="left out"):
        by_singer = chad.Dataset(copy).to_datasets("humming", by="singer")
    assert all(set(part["singer_split"]) == {name} for name, part in by_singer.items())
    with pytest.raises(chad.ReleaseError, match="of the type cover have no audio here, in"):
        chad.Dataset(copy).to_datasets("cover")


def test_mlcroissant_finds_it_valid_and_reads_its_rows(made, offline):
    croissant = mlcroissant.Dataset(str(made["one"] / "croissant.json"))
    assert not croissant.metadata.ctx.issues.errors
    read = [row["versions/id"].decode() for row in croissant.records("versions")]
    assert read == list(pd.read_csv(made["one"] / VERSIONS)["id"])
    assert croissant.metadata.conforms_to[0] == "http://mlcommons.org/croissant/1.1"


def test_pandas_reads_both_forms_of_the_tables(made):
    for table in ("dataset", "versions"):
        plain = pd.read_csv(made["one"] / f"metadata/{table}.csv")
        typed = pd.read_parquet(made["one"] / f"metadata/{table}.parquet")
        assert list(plain.columns) == list(typed.columns)
        assert list(plain["id"]) == list(typed["id"])
    durations = pd.read_csv(made["one"] / "metadata/dataset.csv")["duration"]
    assert np.allclose(durations, pd.read_parquet(made["one"] / "metadata/dataset.parquet")["duration"])


def test_chads_own_script_reads_the_first_table(made):
    """It selects by these two columns and reads the interval of what is left as a literal."""
    table = pd.read_csv(made["one"] / "metadata/dataset.csv")
    videos = table[table["is_available"] & ~table["youtube_id"].isna()]
    assert len(videos) == 0, "nothing of the starter catalogue is a video"
    start_s, end_s = literal_eval(table["interval"].iloc[0])
    assert end_s - start_s == pytest.approx(table["duration"].iloc[0])


def test_its_own_loader_gives_pairs_with_audio_and_curves(made, monkeypatch):
    chad = loader_of(made["one"])
    dataset = chad.Dataset(made["one"])
    assert dataset.validate() == ([], [])
    pairs = [pair for split in ("train", "validation", "test") for pair in dataset.pairs(split=split, kind="humming")]
    assert len(pairs) == len(hums_of(made["one"]))
    original, hum = pairs[0]
    samples, rate = hum.audio
    stored, stored_rate = soundfile.read(made["one"] / f"{hum.group_id}/{hum.fragment_id}/{hum.track_id}.flac")
    assert rate == stored_rate
    assert np.array_equal(np.ravel(samples), np.ravel(stored))
    times, hz = original.f0
    assert 0 <= times[0] < times[1] - times[0], "the first frame within the cut"
    assert times[-1] <= original.duration + 0.1
    assert (hz > 0).any()


def loader_of(folder: Path) -> ModuleType:
    """The loader that lies in the release, imported from there."""
    spec = importlib.util.spec_from_file_location("chad_of_the_release", folder / "chad.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_model_can_be_trained_on_it(made):
    pairs = [pair for split in ("train", "validation", "test") for pair in released_pairs(made["one"], split)]
    assert len(pairs) == len(hums_of(made["one"]))
