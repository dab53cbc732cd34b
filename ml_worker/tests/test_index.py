"""The index: what is built is found, what comes is found, what is forgotten is not, what is damaged is told so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ml_worker.audio.melody import Melody
from ml_worker.fingerprint.shipped import starter_checkpoint
from ml_worker.retrieval.index import (
    Entry,
    IndexUnusable,
    Searcher,
    build,
    calibrate,
    forget,
    grow,
    simulated,
)
from ml_worker.retrieval.index.building import build_printed, printed
from ml_worker.retrieval.index.calibration import foreign_hums, told_here
from ml_worker.retrieval.index.layout import Manifest, segment_folder
from ml_worker.retrieval.index.searcher import Shard
from ml_worker.retrieval.index.second_stage import along, fits
from ml_worker.retrieval.index.settings import FirstStage
from ml_worker.retrieval.index.simulated import catalogue_pool, hum, song
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.recogniser import starter_fusion

SONGS = 24


@pytest.fixture(scope="module", autouse=True)
def few_tunes():
    """Medleys of the starter catalogue alone: reading thousands of tunes takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated, "pool", catalogue_pool)
        yield


# So few that the inverted file is made of a handful of songs.
TINY = FirstStage(from_windows=500, most_lists=16, bytes_a_code=8, neighbours=256, candidates=12)


@pytest.fixture(scope="module")
def checkpoints():
    return [starter_checkpoint("short"), starter_checkpoint("long")]


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return [Entry(one.key, one.melody.cut(0, 60)) for one in map(song, range(SONGS))]


@pytest.fixture(scope="module")
def built(tmp_path_factory, checkpoints, entries) -> Path:
    folder = tmp_path_factory.mktemp("index") / "built"
    build(folder, entries, checkpoints, fusion=starter_fusion())
    return folder


@pytest.fixture
def folder(tmp_path, built) -> Path:
    """An index of its own for a test that changes it."""
    return Path(shutil.copytree(built, tmp_path / "index"))


def phrase(entry: Entry) -> Melody:
    """The eight seconds of a song that have most voice, a fourth lower and a little slower."""
    frames = round(8 / entry.melody.hop_s)
    sung = np.convolve(entry.melody.voiced, np.ones(frames), "valid")
    first_s = float(np.argmax(sung)) * entry.melody.hop_s
    part = entry.melody.cut(first_s, first_s + 8).faster(0.93)
    lower = np.where(part.voiced, part.f0_hz * 2 ** (-5 / 12), 0).astype(np.float32)
    return Melody(part.hop_s, lower, part.voiced, part.confidence, "test", part.attack)


def test_each_song_is_found_where_it_was_hummed_and_how(built, checkpoints, entries):
    searcher = Searcher.open(built, checkpoints)
    assert searcher.keys == {entry.key for entry in entries}
    for entry in entries[:6]:
        answer = searcher.find(phrase(entry))
        best = answer.found[0]
        assert best.key == entry.key
        assert 0 <= best.start_s < best.end_s <= 60
        assert best.tempo_ratio == pytest.approx(1 / 0.93, rel=0.06)
        assert best.transposition == pytest.approx(-5, abs=0.6)
        assert 0 < best.probability <= answer.here <= 1
        assert [one.score for one in answer.found] == sorted((one.score for one in answer.found), reverse=True)
        assert set(answer.seconds) == {"network", "first stage", "second stage", "weighing"}


def test_few_songs_are_found_as_by_the_exact_search(built, checkpoints, entries):
    searcher = Searcher.open(built, checkpoints)
    searcher.fusion = None
    songs = list(printed(entries, checkpoints))
    alongs = [
        along([one.vectors[n] for one in songs], np.array([one.begins_s[n] for one in songs]), encoder)
        for n, encoder in enumerate(searcher.encoders)
    ]
    for number in range(5):
        hummed = hum(number, SONGS).melody
        try:
            wanted = fits(alongs, [encoder.windows(hummed) for encoder in searcher.encoders]).together
        except NothingHeard:
            continue
        found = searcher.find(hummed, top=5).found
        scores = {entry.key: score for entry, score in zip(entries, wanted.scores, strict=True)}
        starts_s = {entry.key: start_s for entry, start_s in zip(entries, wanted.starts_s, strict=True)}
        # Codes are coarse: those that are nearly as good may change places.
        assert [one.score for one in found] == pytest.approx([scores[one.key] for one in found], abs=0.01)
        assert scores[found[0].key] == pytest.approx(max(scores.values()), abs=0.01)
        assert found[0].start_s == pytest.approx(starts_s[found[0].key], abs=0.5)


def test_shards_together_find_what_the_whole_does(tmp_path, checkpoints, entries):
    songs = list(printed(entries, checkpoints))
    names = [checkpoint.name for checkpoint in checkpoints]
    folder = tmp_path / "index"
    build_printed(folder, songs, names, settings=FirstStage(), fusion=starter_fusion(), songs_a_segment=5)
    whole = Searcher.open(folder, checkpoints)
    shards = [Searcher.open(folder, checkpoints, shard=Shard(number, 3)) for number in range(3)]
    assert frozenset().union(*(shard.keys for shard in shards)) == whole.keys
    assert sum(len(shard.keys) for shard in shards) == len(whole.keys)
    for entry in entries[::6]:
        alone = whole.find(phrase(entry))
        merged = shards[0].answer([shard.contenders(phrase(entry))[0] for shard in shards], {})
        assert merged.found[0].key == alone.found[0].key == entry.key
        assert merged.here == pytest.approx(alone.here, abs=0.01)
        assert len(merged.found) == len(alone.found)


def test_an_inverted_file_finds_what_all_songs_would(tmp_path, checkpoints, entries):
    songs = list(printed(entries, checkpoints))
    names = [checkpoint.name for checkpoint in checkpoints]
    build_printed(tmp_path / "all", songs, names, settings=FirstStage())
    build_printed(tmp_path / "voted", songs, names, settings=TINY, songs_a_segment=10)
    everything, voted = (Searcher.open(tmp_path / name, checkpoints) for name in ("all", "voted"))
    assert len(voted.segments) == 3
    assert all(one.neighbours for one in voted.segments[0].by_checkpoint.values())
    for entry in entries[::4]:
        assert voted.find(phrase(entry), top=1).found[0].key == everything.find(phrase(entry), top=1).found[0].key


def test_an_answer_does_not_depend_on_the_search_before_it(tmp_path, checkpoints, entries):
    build(tmp_path / "index", entries, checkpoints, settings=TINY, fusion=starter_fusion())
    searcher = Searcher.open(tmp_path / "index", checkpoints)
    for entry in (entries[0], entries[0], entries[7]):
        answer = searcher.find(phrase(entry), top=5)
        alone = Searcher.open(tmp_path / "index", checkpoints).find(phrase(entry), top=5)
        assert (answer.found, answer.here) == (alone.found, alone.here)


def test_what_comes_is_found_and_what_is_forgotten_is_not(folder, checkpoints, entries):
    searcher = Searcher.open(folder, checkpoints)
    assert searcher.renewed() is searcher
    new = Entry("new", song(SONGS + 1).melody.cut(0, 60))
    grow(folder, [new], checkpoints)
    grown = searcher.renewed()
    assert grown.find(phrase(new)).found[0].key == "new"
    forget(folder, ["new", entries[0].key])
    left = grown.renewed()
    assert left.keys == {entry.key for entry in entries[1:]}
    assert left.find(phrase(entries[0])).found[0].key != entries[0].key
    # A searcher that was open all the while still answers.
    assert searcher.find(phrase(entries[0])).found[0].key == entries[0].key


def test_a_song_that_comes_again_is_found_as_it_is_now(folder, checkpoints, entries):
    forget(folder, [entries[3].key])
    grow(folder, [Entry(entries[3].key, song(SONGS + 2).melody.cut(0, 60))], checkpoints)
    searcher = Searcher.open(folder, checkpoints)
    assert len(searcher.keys) == SONGS
    assert searcher.find(phrase(Entry("", song(SONGS + 2).melody.cut(0, 60)))).found[0].key == entries[3].key
    best = searcher.find(phrase(entries[3])).found[0]
    assert best.key != entries[3].key


def test_a_killed_growth_leaves_the_index_as_it_was(folder, checkpoints, entries):
    """What was written before the manifest named it is in the way of nobody."""
    before = Manifest.load(folder)
    grow(folder, [Entry("new", song(SONGS + 1).melody.cut(0, 60))], checkpoints)
    before.save(folder)  # as if the manifest had not been replaced
    assert "new" not in Searcher.open(folder, checkpoints).keys
    grow(folder, [Entry("other", song(SONGS + 2).melody.cut(0, 60))], checkpoints)
    assert Searcher.open(folder, checkpoints).keys == {entry.key for entry in entries} | {"other"}


def test_songs_without_a_voice_are_in_it_and_never_found(folder, checkpoints, entries):
    silent = np.zeros(3000, dtype=np.float32)
    grow(folder, [Entry("silent", Melody(0.02, silent, silent > 0, silent, "test"))], checkpoints)
    searcher = Searcher.open(folder, checkpoints)
    assert "silent" in searcher.keys
    found = searcher.find(phrase(entries[1]), top=100).found
    assert "silent" not in [one.key for one in found]


def test_a_hum_of_nothing_is_told_so(built, checkpoints):
    silent = np.zeros(400, dtype=np.float32)
    with pytest.raises(NothingHeard):
        Searcher.open(built, checkpoints).find(Melody(0.02, silent, silent > 0, silent, "test"))


def test_an_index_that_cannot_be_used_says_why(folder, checkpoints, tmp_path):
    with pytest.raises(IndexUnusable, match="There is no index"):
        Searcher.open(tmp_path / "nowhere", checkpoints)
    with pytest.raises(IndexUnusable, match="are in use"):
        Searcher.open(folder, checkpoints[:1])
    codes = segment_folder(folder, "0001") / f"{checkpoints[0].name}.codes.bin"
    codes.write_bytes(codes.read_bytes()[:-1])
    with pytest.raises(IndexUnusable, match="damaged"):
        Searcher.open(folder, checkpoints)
    codes.write_bytes(codes.read_bytes() + b"\0")
    Searcher.open(folder, checkpoints)
    for damaged, content in ((folder / "fusion.json", None), (segment_folder(folder, "0001") / "songs.json", b"[]")):
        whole = damaged.read_bytes()
        damaged.unlink()
        if content is not None:
            damaged.write_bytes(content)
        with pytest.raises(IndexUnusable, match="damaged"):
            Searcher.open(folder, checkpoints)
        damaged.write_bytes(whole)
    manifest = folder / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(told | {"version": 99}), encoding="utf-8")
    with pytest.raises(IndexUnusable, match="another version"):
        Searcher.open(folder, checkpoints)
    manifest.write_text("{", encoding="utf-8")
    with pytest.raises(IndexUnusable, match="cannot be read"):
        Searcher.open(folder, checkpoints)


def test_nothing_is_written_over_and_no_key_comes_twice(built, tmp_path, checkpoints, entries):
    with pytest.raises(FileExistsError):
        build(built, entries[:1], checkpoints)
    with pytest.raises(ValueError, match="comes twice"):
        build(tmp_path / "twice", [entries[0], entries[0]], checkpoints)
    with pytest.raises(ValueError, match="no songs"):
        build(tmp_path / "none", [], checkpoints)
    assert not (tmp_path / "twice").exists()
    assert not (tmp_path / "none").exists()


def test_the_line_is_drawn_by_hums_of_tunes_that_are_nowhere(folder, checkpoints, entries):
    searcher = Searcher.open(folder, checkpoints)
    assert searcher.open_set.hums == 0
    open_set = calibrate(folder, checkpoints, hums=12, false_accepts=0.1)
    with_line = searcher.renewed()
    assert with_line.open_set == open_set
    assert (open_set.hums, open_set.songs) == (12, SONGS)
    told = told_here(with_line, foreign_hums(12))
    assert np.sum(with_line.open_set.over(told.here, told.voice_s) >= 0) <= 2
    assert set(told.keys) <= {entry.key for entry in entries} | {""}
    assert np.all((told.voice_s > 0) == (np.array(told.keys) != ""))
    assert with_line.find(phrase(entries[1])).is_here
    # The index may still grow and forget.
    grow(folder, [Entry("new", song(SONGS + 1).melody.cut(0, 60))], checkpoints)
    assert with_line.renewed().open_set == open_set
