"""Checkpoints: what is saved is what is loaded, and nothing else is."""

from __future__ import annotations

import dataclasses
import errno
import os
import pickle

import pytest
import safetensors.torch
import torch

from ml_worker.fingerprint.checkpoint import ENTRY, Checkpoint, UnusableCheckpoint, metadata_of, write_whole
from ml_worker.fingerprint.data import DataRecord
from ml_worker.fingerprint.fingerprinter import fingerprint
from ml_worker.tests.made_pairs import TINY, made_pair, made_pairs, untrained
from ml_worker.tests.made_sung import made_singable


@pytest.fixture
def checkpoint() -> Checkpoint:
    return dataclasses.replace(
        untrained(TINY),
        data=DataRecord.of(made_pairs(range(2)), made_singable(range(2))),
        figures={"loss_last": 0.5},
        created="2026-11-22T10:00:00+00:00",
    )


def test_what_is_saved_is_what_is_loaded(checkpoint, tmp_path):
    path = checkpoint.save(tmp_path)
    loaded = Checkpoint.load(path)
    assert path.name == f"{checkpoint.name}.safetensors"
    assert loaded.name == checkpoint.name
    assert loaded.name.startswith("short-")
    assert (loaded.settings, loaded.data, loaded.created) == (checkpoint.settings, checkpoint.data, checkpoint.created)
    assert loaded.figures == checkpoint.figures
    assert all(torch.equal(loaded.state[name], weights) for name, weights in checkpoint.state.items())
    assert loaded.to_bytes() == path.read_bytes()
    assert not list(tmp_path.glob("*.part"))


def test_the_loaded_network_makes_the_same_fingerprints_to_the_bit(checkpoint, tmp_path):
    melody = made_pair(3).original
    before = fingerprint(melody, checkpoint)
    after = fingerprint(melody, Checkpoint.load(checkpoint.save(tmp_path)))
    assert before.vectors.tobytes() == after.vectors.tobytes()
    assert before.checkpoint == after.checkpoint == checkpoint.name


def test_the_name_follows_from_weights_and_settings(checkpoint):
    assert dataclasses.replace(checkpoint, figures={}, created="later").name == checkpoint.name
    assert dataclasses.replace(checkpoint, settings=dataclasses.replace(TINY, tau=0.1)).name != checkpoint.name
    other = dict(checkpoint.state) | {"head.bias": checkpoint.state["head.bias"] + 1e-6}
    assert dataclasses.replace(checkpoint, state=other).name != checkpoint.name


def test_a_flipped_byte_anywhere_is_noticed(checkpoint):
    content = checkpoint.to_bytes()
    for place in (0, 9, 200, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 4
        with pytest.raises(UnusableCheckpoint):
            Checkpoint.from_bytes(bytes(damaged))


def test_a_changed_figure_is_noticed(checkpoint):
    content = checkpoint.to_bytes()
    assert b'loss_last\\": 0.5' in content
    with pytest.raises(UnusableCheckpoint, match="not what was saved"):
        Checkpoint.from_bytes(content.replace(b'loss_last\\": 0.5', b'loss_last\\": 0.1'))


@pytest.mark.parametrize(
    "content", [b"", b"1234567", b"\xff" * 100, b"RIFF....WAVEfmt ", (8).to_bytes(8, "little") * 2]
)
def test_something_else_is_refused_in_a_sentence(content):
    with pytest.raises(UnusableCheckpoint, match=r"^This file is not a checkpoint of this platform"):
        Checkpoint.from_bytes(content)


class Boom:
    """A pickle of this would run code when it is read."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def test_a_pickle_is_refused_and_not_run(tmp_path, checkpoint):
    for content in (pickle.dumps(Boom()), pickle.dumps({"state": 1})):
        with pytest.raises(UnusableCheckpoint):
            Checkpoint.from_bytes(content)
    path = tmp_path / "weights.safetensors"
    torch.save({"state": checkpoint.state, "boom": Boom()}, path)
    with pytest.raises(UnusableCheckpoint):
        Checkpoint.load(path)


def test_safetensors_of_another_project_are_refused(checkpoint):
    for metadata in (None, {"format": "pt"}, {ENTRY: "no JSON"}, {ENTRY: "[]"}, {ENTRY: "{}"}):
        content = safetensors.torch.save(dict(checkpoint.state), metadata=metadata)
        with pytest.raises(UnusableCheckpoint):
            Checkpoint.from_bytes(content)


def with_text(checkpoint: Checkpoint, old: str, new: str) -> bytes:
    """The file with something else in its description."""
    text = metadata_of(checkpoint.to_bytes())[ENTRY]
    assert old in text
    return safetensors.torch.save(dict(checkpoint.state), metadata={ENTRY: text.replace(old, new)})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        *[('"tau"', '"warmth"'), ('"short"', '"fused"'), ('"steps": 40', '"steps": "x"')],
        *[('"hop_s": 0.25', f'"hop_s": {hop}') for hop in ("NaN", "0.0", "20.0", "Infinity")],
        *[
            ('"time_strides": [1, 2', '"time_strides": [0, 2'),
            ('"dimensions": 32, "epsilon"', '"dimensions": 0, "epsilon"'),
        ],
    ],
)
def test_settings_of_another_version_are_refused_in_a_sentence(checkpoint, old, new):
    with pytest.raises(UnusableCheckpoint, match="another version"):
        Checkpoint.from_bytes(with_text(checkpoint, old, new))


@pytest.mark.parametrize(
    ("old", "new"), [('"Encoder"', '"os.system"'), ('"width": 4', '"width": 5'), ("song 1", "song 7")]
)
def test_a_changed_description_is_noticed(checkpoint, old, new):
    with pytest.raises(UnusableCheckpoint, match="not what was saved"):
        Checkpoint.from_bytes(with_text(checkpoint, old, new))


@pytest.mark.parametrize("changes", [{"width": 8}, {"width": 2**16}, {"dimensions": 16}, {"attack": False}])
def test_weights_of_another_size_are_refused(checkpoint, changes):
    other = dataclasses.replace(checkpoint, settings=TINY.changed(**changes))
    with pytest.raises(UnusableCheckpoint, match="do not fit"):
        other.encoder()


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_single_weight_that_is_no_finite_number_is_refused(checkpoint, wrong):
    checkpoint.state["head.weight"][3, 5] = wrong
    with pytest.raises(UnusableCheckpoint, match="not finite numbers"):
        Checkpoint.from_bytes(checkpoint.to_bytes())


def test_weights_of_zeros_alone_are_refused(checkpoint):
    zeros = {name: torch.zeros_like(tensor) for name, tensor in checkpoint.state.items()}
    with pytest.raises(UnusableCheckpoint, match="no weights but zeros"):
        Checkpoint.from_bytes(dataclasses.replace(checkpoint, state=zeros).to_bytes())


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write_whole(tmp_path / "a", b"older")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a", b"newer")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"older")]


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        Checkpoint.load(tmp_path / "nothing.safetensors")
