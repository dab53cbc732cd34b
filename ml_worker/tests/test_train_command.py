"""Training as it is asked for: a job on hums of the database, and `manage.py train` on a release folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from ml_worker.fingerprint import distributed, shipped
from ml_worker.models import Checkpoint, Job
from ml_worker.running import run_here
from ml_worker.tests import made_rows, manage_with_fewer
from ml_worker.work import CannotBeDone, promotion, train, training_data
from ml_worker.work.released_data import released_pairs
from recordings.models import Humming, Recording, Song, TrainingUse
from recordings.release import export, freeze
from recordings.splits import split_of
from recordings.tests import factories

ROOT = Path(__file__).parents[2]
SONGS = 4  # as few as training takes

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def ids_of(split: str) -> Iterator[uuid.UUID]:
    """Ids of songs that are in a split."""
    number = 0
    while True:
        made = uuid.uuid5(uuid.NAMESPACE_OID, str(number))
        if split_of(made) == split:
            yield made
        number += 1


@pytest.fixture
def hums(monkeypatch: pytest.MonkeyPatch) -> list[Humming]:
    """Accepted hums, one of each of some songs of the training split, and one of a validation song."""
    ids = [song for _, song in zip(range(SONGS), ids_of("train"), strict=False)] + [next(ids_of("validation"))]
    ids.reverse()
    make_song = factories.make_song
    monkeypatch.setattr(factories, "make_song", lambda *about, **fields: make_song(*about, id=ids.pop(), **fields))
    made = [made_rows.sung_hum(made_rows.sung_song(seed)) for seed in range(SONGS + 1)]
    for hum in made:
        made_rows.settled(hum)
    assert [hum.fragment.recording.song.split for hum in made] == [*["train"] * SONGS, "validation"]
    return made


def check_trained_on(checkpoint: Checkpoint, hums: list[Humming], times: int) -> None:
    """Every hum of the training songs so many times, none of the others, and a row of each."""
    taken = Counter(version for _, _, version in checkpoint.data["versions"])
    assert taken == {str(hum.pk): times for hum in hums[:SONGS]}
    uses = TrainingUse.objects.filter(checkpoint=checkpoint.name).values_list("version_id", flat=True)
    assert sorted(uses) == sorted(hum.pk for hum in hums[:SONGS])


def test_a_job_trains_on_hums_and_on_changed_versions_of_their_sounds(
    hums: list[Humming], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_data, "COMPOSED", manage_with_fewer.COMPOSED)
    monkeypatch.setattr(promotion, "SIZE", manage_with_fewer.FROZEN)
    said: list[str] = []
    job = run_here(Job.Kind.TRAIN, "short", on_progress=lambda share, message: said.append(message), steps=1)
    assert job.state == Job.State.DONE, job.failure
    checkpoint = Checkpoint.objects.trained_here().get()
    check_trained_on(checkpoint, hums, times=2)
    assert f"from {SONGS} hums and {SONGS} versions of their sounds of {SONGS} songs" in job.message
    assert any(f"{SONGS} of {SONGS} (about" in message for message in said)
    assert checkpoint.figures["further"] == SONGS
    assert checkpoint.figures["initial"] == shipped.starter_checkpoint("short").name
    assert checkpoint.standing_why in job.message
    assert checkpoint.standing == job.result["standing"] != Checkpoint.Standing.CANDIDATE


def test_two_processes_train_on_a_release_and_make_one_job_and_one_checkpoint(
    hums: list[Humming], tmp_path: Path
) -> None:
    Recording.objects.update(redistributable=True, licence="CC0-1.0")
    folder = tmp_path / "release"
    export(freeze("1.0"), folder)
    pairs = released_pairs(folder)
    assert sorted(pair.version_id for pair in pairs) == sorted(str(hum.pk) for hum in hums[:SONGS])
    assert all(pair.offset_s == made_rows.OFFSET_S and pair.tempo_ratio == made_rows.TEMPO_RATIO for pair in pairs)

    done = by_two("--data", str(folder), "--steps", "1", "--sound-versions", "2", "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout)
    (job,) = Job.objects.filter(kind=Job.Kind.TRAIN)
    assert job.state == Job.State.DONE, job.failure
    assert answer["message"] == job.message
    checkpoint = Checkpoint.objects.trained_here().get()
    assert checkpoint.job == job
    check_trained_on(checkpoint, hums, times=3)
    assert Song.objects.count() == SONGS + 1


class OneOfTwo:
    """One of two processes, as `fingerprint.distributed` has it: told what the first one says, or noting it."""

    def __init__(self, *, is_first: bool, told: dict | None = None) -> None:
        self.is_first, self.told = is_first, told

    def told_by_first(self, value: dict | None) -> dict | None:
        if self.is_first:
            self.told = value
        return self.told


@pytest.fixture
def one_of_two(monkeypatch: pytest.MonkeyPatch) -> Callable[[OneOfTwo], None]:
    """Makes this process one of two."""

    def join(process: OneOfTwo) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        monkeypatch.setattr(distributed, "joined", lambda: process)

    return join


@pytest.mark.parametrize("is_first", [True, False])
def test_processes_that_train_together_wait_for_no_worker(
    one_of_two: Callable[[OneOfTwo], None], capsys: pytest.CaptureFixture[str], is_first: bool
) -> None:
    Job.claim("a worker", Job.objects.filter(pk=Job.ask(Job.Kind.TRAIN, "short").pk))
    process = OneOfTwo(is_first=is_first)
    one_of_two(process)
    with pytest.raises(SystemExit) as stop:
        call_command("train", kind="short")
    assert (stop.value.code, process.told) == (1, None)
    assert ("trains this kind already" in capsys.readouterr().err) == is_first, "one says it"


def test_who_helps_trains_what_the_first_ones_job_is(
    one_of_two: Callable[[OneOfTwo], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def trained(arguments: dict, data: train.Data) -> None:
        raise CannotBeDone(f"{arguments['steps']} steps.")

    monkeypatch.setattr(train, "trained", trained)
    one_of_two(OneOfTwo(is_first=False, told={"kind": "short", "steps": 7}))
    with pytest.raises(SystemExit):
        call_command("train", kind="short", steps=9)
    assert "7 steps." in capsys.readouterr().err
    assert not Job.objects.exists()


def test_nobody_gets_what_another_run_was_told_to_train(capsys: pytest.CaptureFixture[str]) -> None:
    Job.ask(Job.Kind.TRAIN, "short", kind="short", steps=136)
    with pytest.raises(SystemExit) as stop:
        call_command("train", kind="short", steps=5)
    assert stop.value.code == 2
    assert "with --steps 136. Start it with the same" in capsys.readouterr().err


def by_two(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`manage.py train`, started by torchrun in two processes, on the tests' database."""
    started = ["-m", "ml_worker.tests.manage_with_fewer", "train", *arguments]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", *started]
    environment = os.environ | {
        "CHAD_DATABASE_NAME": str(connection.settings_dict["NAME"]), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *launch], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
