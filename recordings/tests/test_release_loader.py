"""The loader that lies in every release: a folder is copied with it, and it is used as a researcher uses it."""

from __future__ import annotations

import ast
import csv
import hashlib
import inspect
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from datasets import Audio
from hypothesis import given
from hypothesis import strategies as st

from recordings.release.shipped import chad
from recordings.release.tables import DATASET, DATASET_COLUMNS, VERSIONS, VERSIONS_COLUMNS
from recordings.tests.made_facts import RATE, rows, write_folder

SOURCE = Path(inspect.getfile(chad))


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path)
    return tmp_path


@pytest.fixture
def data(folder):
    return chad.Dataset(folder)


def edit(folder, path, change):
    """Rewrites a table after `change` was done to each of its rows."""
    with (folder / path).open(newline="") as file:
        table = list(csv.DictReader(file))
    for row in table:
        change(row)
    with (folder / path).open("w", newline="") as file:
        sink = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        sink.writeheader()
        sink.writerows(table)


def kinds(pairs):
    return [(original.audio_type, version.audio_type, version.split) for original, version in pairs]


def test_it_needs_python_3_9_and_its_standard_library():
    source = SOURCE.read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 9))
    imported = {name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module.split(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names
    # `X | Y` between types is an error there as soon as it is run: it may stand in annotations alone, which are not.
    assert "from __future__ import annotations" in source
    in_annotations = {
        id(part)
        for node in ast.walk(tree)
        for note in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if note
        for part in ast.walk(note)
    }
    run = [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)]
    assert run
    assert all(id(node) in in_annotations for node in run)


def test_tables_are_read_without_numpy(folder):
    shutil.copy(SOURCE, folder)
    script = "import sys; sys.modules['numpy'] = sys.modules['soundfile'] = None; import chad; " + (
        "print(len(chad.Dataset().load_tracks()), chad.Dataset().validate())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "6 ([], [])\n"


def test_it_works_from_inside_the_folder(folder):
    shutil.copy(SOURCE, folder)
    spec = util.spec_from_file_location("chad_of_release", folder / "chad.py")
    inside = util.module_from_spec(spec)
    sys.modules[spec.name] = inside
    try:
        spec.loader.exec_module(inside)
        assert inside.Dataset().version == "2026.11"
    finally:
        del sys.modules[spec.name]


def test_every_column_of_both_tables_is_an_attribute_of_its_type():
    columns = {column: kind for kind in (DATASET_COLUMNS, VERSIONS_COLUMNS) for column, kind in kind.items()}
    attributes = dict(chad.COLUMNS.values())
    types = {"text": str, "number": float, "whole number": int, "flag": chad.flag_of, "interval": chad.interval_of}
    assert attributes == {column: types[kind.holds] for column, kind in columns.items()}


def test_cells_become_values(data):
    hum = data.track("00000003-0000-4000-8000-000000000000")
    assert (hum.audio_type, hum.interval, hum.duration) == ("humming", (0.0, 8.5), 8.5)
    assert (hum.simulated, hum.ai_training, hum.sample_rate, hum.singer) == (False, True, RATE, "singer-a")
    assert hum.correlation is None
    assert hum.gender is None
    cover = data.track("00000002-0000-4000-8000-000000000000")
    assert (cover.correlation, cover.youtube_id, cover.audio_file) == (0.75, "abcdefghijk", None)


def test_all_tracks_in_the_order_of_the_tables(data):
    assert data.track_ids == [row["id"] for _, row in rows()]
    assert list(data.load_tracks()) == data.track_ids
    assert data.choice_track(seed=3) is data.choice_track(seed=3)
    assert {data.choice_track(seed).track_id for seed in range(100)} == set(data.track_ids)


def test_fragments_and_songs(data):
    assert [len(tracks) for tracks in data.fragments.values()] == [4, 2]
    assert all(tracks[0].audio_type == "original" for tracks in data.fragments.values())
    assert {track.group_id for tracks in data.songs.values() for track in tracks} == set(data.songs)


def test_splits(data):
    assert len(data.split("train")) == 4
    assert data.split("validation") == []
    by_singer = data.split("test", by="singer")
    assert [(track.split, track.singer) for track in by_singer] == [("train", "singer-b"), ("test", "singer-b")]
    assert [(track.split, track.singer_split) for track in data.split("test", by="both")] == [("test", "test")]
    assert [track.singer for track in data.split("train", by="both")] == ["singer-a"]


def test_no_song_and_no_singer_of_a_strict_split_is_in_another(data):
    parts = [data.split(name, by="both") for name in chad.SPLITS]
    for what in ("group_id", "singer"):
        seen = [{getattr(track, what) for track in part} for part in parts]
        assert sum(map(len, seen)) == len(set().union(*seen))


def test_pairs(data):
    cover, hum = ("original", "cover", "train"), ("original", "humming", "train")
    assert kinds(data.pairs()) == [cover, hum, hum, ("original", "humming", "test")]
    assert kinds(data.pairs(split="train", kind="humming")) == [hum, hum]
    assert kinds(data.pairs(kind="cover")) == [cover]
    assert kinds(data.pairs(split="test", kind="humming", by="singer")) == [hum, ("original", "humming", "test")]
    assert all(original is version.original for original, version in data.pairs())


def test_audio_and_curve(data, folder):
    for track in data.load_tracks().values():
        if track.audio_file is None:
            assert track.audio_path is None
            continue
        samples, rate = track.audio
        expected, _ = soundfile.read(folder / track.audio_file, dtype="float32")
        assert np.array_equal(samples, expected)
        assert (rate, samples.dtype, len(samples) / rate) == (RATE, np.float32, track.duration)
    seconds, hz = data.track("00000003-0000-4000-8000-000000000000").f0
    assert (seconds.tolist(), hz.tolist()) == ([0.0, 0.01], [0.0, 203.0])


def test_what_was_fetched_is_found_and_missing_audio_is_said(data, folder):
    cover = data.track("00000002-0000-4000-8000-000000000000")
    with pytest.raises(
        chad.ReleaseError, match=r"no audio of cover .*: not redistributable: get it by .* download\.py"
    ):
        _ = cover.audio
    target = folder / f"fetched/{cover.group_id}/{cover.fragment_id}/{cover.track_id}.flac"
    target.parent.mkdir(parents=True)
    soundfile.write(target, np.zeros(100), RATE)
    assert cover.audio_path == target
    assert len(cover.audio[0]) == 100


def test_curves_may_be_left_out(data, folder):
    shutil.rmtree(folder / "f0")
    hum = data.track("00000003-0000-4000-8000-000000000000")
    assert hum.f0_path is None
    with pytest.raises(chad.ReleaseError, match=r"no pitch curve of humming .* is not in the folder"):
        _ = hum.f0
    assert data.validate() == ([], [])
    with pytest.raises(chad.ReleaseError, match=r"no pitch curve of original .*: it has none"):
        _ = hum.original.f0


def test_missing_and_changed_files_are_named(data, folder):
    assert data.validate() == ([], [])
    hum, other = (data.track(f"0000000{number}-0000-4000-8000-000000000000") for number in (3, 4))
    (folder / hum.audio_file).unlink()
    (folder / other.f0_file).write_text("0.0,1.0\n")
    with (folder / VERSIONS).open("ab") as file:
        file.write(b" ")
    assert chad.Dataset(folder).validate() == ([hum.audio_file], [VERSIONS, other.f0_file])


def test_damaged_files_are_told_in_sentences(data, folder):
    hum = data.track("00000003-0000-4000-8000-000000000000")
    (folder / hum.audio_file).write_bytes(b"no audio")
    (folder / hum.f0_file).write_text("0.0,1.0\nx\n")
    with pytest.raises(chad.ReleaseError, match="cannot be read as audio"):
        _ = hum.audio
    with pytest.raises(chad.ReleaseError, match="is no pitch curve"):
        _ = hum.f0
    (folder / "metadata/release.json").write_text("[]")
    with pytest.raises(chad.ReleaseError, match=r"metadata/release\.json of .* cannot be read"):
        _ = data.version


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda data: data.track("nobody"), "There is no version 'nobody'"),
        (lambda data: data.split("dev"), "'dev' is no split; it has to be one of train, validation, test"),
        (lambda data: data.split("train", by="ear"), "'ear' is no way to split"),
        (lambda data: list(data.pairs(kind="original")), "'original' is no kind of version"),
        (lambda data: data.original_of("x"), "Fragment 'x' has no original"),
        (lambda data: chad.Dataset(data.data_home / "metadata"), "is no CHAD release: it has no metadata/versions.csv"),
    ],
)
def test_wrong_words_are_told_in_sentences(data, call, words):
    with pytest.raises(chad.ReleaseError, match=words):
        call(data)


@pytest.mark.parametrize("path", ["../secret.flac", "/etc/passwd", "a/../../secret.flac", "", "."])
def test_paths_that_leave_the_folder_are_refused(folder, path):
    data = chad.Dataset(folder)
    with pytest.raises(chad.ReleaseError, match="leads out of the release"):
        data.inside(path)


@pytest.mark.parametrize("column", ["audio", "f0", "group_id"])
def test_no_cell_of_a_table_leads_out_of_the_folder(tmp_path, column):
    folder = tmp_path / "release"
    write_folder(folder)
    (tmp_path / "secret.flac").write_bytes(b"secret")
    for path in (DATASET, VERSIONS):
        edit(folder, path, lambda row: row.update({column: "../../secret.flac"} if column in row else {}))
    track = chad.Dataset(folder).track("00000002-0000-4000-8000-000000000000")
    with pytest.raises(chad.ReleaseError, match="leads out of the release"):
        _ = track.f0_path if column == "f0" else (track.original.audio_path, track.audio_path)


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    folder = tmp_path / "release"
    write_folder(folder)
    (tmp_path / "secret.flac").write_bytes(b"secret")
    track = chad.Dataset(folder).track("00000003-0000-4000-8000-000000000000")
    (folder / track.audio_file).unlink()
    (folder / track.audio_file).symlink_to(tmp_path / "secret.flac")
    with pytest.raises(chad.ReleaseError, match="leads out of the release"):
        _ = track.audio_path


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40))
def test_what_is_inside_is_below_the_folder(path):
    data = chad.Dataset.__new__(chad.Dataset)
    data.data_home = Path("/release")
    try:
        found = data.inside(path)
    except (chad.ReleaseError, OSError):
        return
    assert str(found).startswith("/release/")


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("duration", "long", "has the duration 'long'; it cannot be read"),
        ("interval", "[1]", r"has the interval '\[1\]'; it cannot be read"),
        ("title", "", "has no title"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named(folder, column, cell, words):
    for path in (DATASET, VERSIONS):
        edit(folder, path, lambda row: row.update({column: cell} if column in row else {}))
    with pytest.raises(chad.ReleaseError, match=words):
        chad.Dataset(folder).load_tracks()


def test_a_release_from_before_some_columns_is_read(folder):
    edit(folder, VERSIONS, lambda row: [row.pop(column) for column in ("singer_split", "f0", "f0_method", "agreement")])
    tracks = chad.Dataset(folder).load_tracks().values()
    assert {(track.singer_split, track.f0_file, track.agreement) for track in tracks} == {(None, None, None)}


def test_tables_that_do_not_name_the_same_versions_are_told(folder):
    text = (folder / VERSIONS).read_text().splitlines(keepends=True)
    (folder / VERSIONS).write_text("".join(text[:-1]))
    with pytest.raises(chad.ReleaseError, match="has no row for 00000006"):
        chad.Dataset(folder).load_tracks()


def test_words_of_any_kind_come_back_as_they_were(tmp_path):
    made = rows()
    title = "Größe, \"laut\"\n--- {} | 'x'"
    made[0][1]["title"] = title
    write_folder(tmp_path, made)
    data = chad.Dataset(tmp_path)
    assert data.track(made[0][1]["id"]).title == title
    assert (
        hashlib.sha256((tmp_path / made[0][1]["audio"]).read_bytes()).hexdigest() == data.track(made[0][1]["id"]).sha256
    )


# --- for Hugging Face's datasets


def test_its_rows_are_those_of_the_tables_and_its_audio_is_there(data):
    splits = data.to_datasets()
    rows = [row for split in splits.values() for row in split.cast_column("audio", Audio(decode=False))]
    hums = {track_id: track for track_id, track in data.load_tracks().items() if track.audio_type == "humming"}
    assert {row["id"] for row in rows} == set(hums)
    assert all(row["split"] == hums[row["id"]].split and row["singer"] == hums[row["id"]].singer for row in rows)
    assert all(Path(row["audio"]["path"]) == hums[row["id"]].audio_path for row in rows)


def test_what_is_not_there_is_told(data):
    gone = next(track for track in data.load_tracks().values() if track.audio_type == "humming")
    gone.audio_path.unlink()
    with pytest.warns(UserWarning, match="1 of 3 versions of the type humming have no audio here and are left out"):
        left = data.to_datasets()
    assert gone.track_id not in [row for split in left.values() for row in split["id"]]
    with pytest.raises(chad.ReleaseError, match="1 of 1 versions of the type cover have no audio here"):
        data.to_datasets("cover")
    with pytest.raises(chad.ReleaseError, match="'hums' is no kind of version"):
        data.to_datasets("hums")


@pytest.mark.parametrize(
    ("path", "change", "said"),
    [
        ("versions", lambda table: table.slice(1), "do not name the same versions"),
        ("dataset", lambda table: table.drop_columns(["id"]), "cannot be read"),
        ("versions", lambda table: table.drop_columns(["id"]), "cannot be read"),
        ("versions", lambda table: table.drop_columns(["audio"]), "cannot be read"),
        ("dataset", None, "cannot be read"),
    ],
)
def test_typed_tables_that_are_not_as_they_should_be_are_told_in_words(data, path, change, said):
    file = data.data_home / f"metadata/{path}.parquet"
    if change is None:
        file.write_bytes(b"no table")
    else:
        pq.write_table(change(pq.read_table(file)), file)
    with pytest.raises(chad.ReleaseError, match=said):
        data.to_datasets()
