"""Rounds gone through for real: trained, mined, double-checked, decided; spoilt; and killed with -9 in every step."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from annotation.models import ReviewItem
from ml_worker import rounds, rounds_page
from ml_worker.fingerprint.frozen import Size
from ml_worker.models import Checkpoint, Job, Round, RoundStep
from ml_worker.running import run_here
from ml_worker.tests import made_rounds
from ml_worker.work import promotion, train
from ml_worker.work.starter import install_starter_checkpoints
from recordings.models import CoverFragment, Fragment, Song, TrainingUse
from recordings.models.songs import Split

ROOT = Path(__file__).parents[2]
TRAINING = {"steps": 2, "sound_versions": 0}

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def songs(monkeypatch: pytest.MonkeyPatch) -> list[Fragment]:
    made_rounds.with_fewer(monkeypatch)
    install_starter_checkpoints()
    return made_rounds.make_songs(monkeypatch)


def settle_all(decision: str = "accept") -> None:
    """An admin decides on everything that waits."""
    admin = get_user_model().objects.get_or_create(username="the-admin")[0]
    for item in ReviewItem.objects.waiting():
        item.overrule(admin, decision, "As it is heard.")


def check_trained_on(checkpoint: Checkpoint) -> None:
    """Songs of the training split alone, by the row and by the uses of versions."""
    train = {str(pk) for pk in Song.objects.filter(split=Split.TRAIN).values_list("pk", flat=True)}
    assert {song for song, _, _ in checkpoint.data["versions"]} == train
    uses = TrainingUse.objects.filter(checkpoint=checkpoint.name)
    assert {str(use.version_id) for use in uses} == {version for _, _, version in checkpoint.data["versions"]}


def test_a_round_goes_from_material_to_a_decision(songs: list[Fragment]) -> None:
    starter = Checkpoint.objects.latest()
    begun = rounds.start(**TRAINING)
    made_rounds.taken(begun)
    candidate = begun.checkpoints.get()
    check_trained_on(candidate)

    # Nothing of the candidate is in use before it is decided on.
    assert candidate.standing == Checkpoint.Standing.CANDIDATE
    assert Checkpoint.objects.latest() == starter
    assert begun.step("double_check").state == RoundStep.State.PEOPLE
    found = CoverFragment.objects.all()
    assert found.exists()
    assert {one.state for one in found} == {CoverFragment.State.DOUBTFUL}
    assert set(found) == {one.asked_about for one in begun.findings.exclude(asked_about=None)}
    mined = begun.step("mine").outputs
    assert sorted(mined["mined"]) == mined["songs"] == sorted(str(song.song.pk) for song in songs), "of all splits"
    assert mined["sure"] + mined["doubtful"] == begun.findings.count() > 0

    settle_all()
    rounds.look_after()
    made_rounds.taken(begun)
    candidate.refresh_from_db()
    assert candidate.standing == begun.state
    assert candidate.standing_why in begun.decision
    is_promoted = begun.state == Round.State.PROMOTED
    assert (Checkpoint.objects.latest() == candidate) == is_promoted
    assert Job.objects.open().filter(kind=Job.Kind.MINE).count() == (len(songs) if is_promoted else 0)

    (figures,) = rounds_page.as_shown()["figures"]
    assert figures["judged"] == begun.findings.sure().of_training().count()
    assert figures["precision"] == (1.0 if figures["judged"] else None)
    assert set(figures["hit_rates"]["short"]) == {"hums", "covers"} == set(figures["hit_rates_unseen"]["short"])
    assert figures["self_made_share"] == {"short": 0.0}

    # Once more is as if it were not.
    before = rounds_page.described(begun)
    run_here(Job.Kind.ROUND, begun.pk)
    begun.refresh_from_db()
    assert rounds_page.described(begun) == before

    # The accepted covers are trained on in the next round, those of training songs alone.
    second = rounds.start(**TRAINING)
    made_rounds.taken(second)
    material = second.checkpoints.get()
    check_trained_on(material)
    assert material.figures["material"]["covers_by_people"] > 0


def test_the_same_material_is_nothing_new(songs: list[Fragment]) -> None:
    for _ in range(2):
        begun = rounds.start(**TRAINING, material="hums")
        made_rounds.taken(begun)
        settle_all()
        made_rounds.taken(begun)
    assert Checkpoint.objects.trained_here().count() == 1
    assert begun.state == Round.State.REFUSED
    assert "the weights of an earlier checkpoint" in begun.decision


def test_a_round_with_shuffled_labels_is_refused_before_it_mines(
    songs: list[Fragment], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "SIZE", Size(tunes=8, distractors=8))
    # At a high rate few steps are enough to forget what the starter checkpoint knows.
    monkeypatch.setattr(train, "GENTLE_RATE", 1e-2)
    begun = rounds.start(steps=8, sound_versions=0, labels="shuffled")
    made_rounds.taken(begun)
    assert begun.state == Round.State.REFUSED
    assert begun.checkpoints.get().standing == Checkpoint.Standing.REFUSED
    assert "Refused: On " in begun.decision
    assert "fell from" in begun.decision
    skipped = begun.steps.filter(state=RoundStep.State.SKIPPED)
    assert {step.name for step in skipped} == {"mine", "double_check"}
    assert all(step.reason for step in skipped)
    assert not CoverFragment.objects.exists()


def test_a_round_that_is_killed_in_every_step_comes_to_the_same(songs: list[Fragment]) -> None:
    Job.objects.all().delete()
    begun = rounds.start(**TRAINING, material="hums")
    # Nothing is asked of people, so that one process after the other gets to the end.
    done = by_killed_processes(begun)
    print(done.stderr)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stderr.count("Killed in ") == len(RoundStep.Name.values), done.stderr[-3000:]
    assert "It was not killed" not in done.stderr
    job = made_rounds.taken(begun)
    assert (job.state, job.failure) == (Job.State.DONE, "")
    assert all(step.attempts >= 2 for step in begun.steps.all())
    assert begun.state in (Round.State.PROMOTED, Round.State.REFUSED)
    assert [row.name for row in Checkpoint.objects.trained_here()] == [done.stdout.strip()]

    # What was found is what mining in one go finds.
    from ml_worker.work import mine, round_steps

    miner = mine.Miner.of(begun.checkpoints.get())
    again = [one for song in Song.objects.all() for one in round_steps.findings_in(song, begun, miner)]
    places = {(one.fragment_id, one.recording_id, one.start_s, one.is_sure) for one in again}
    stored = begun.findings.values_list("fragment_id", "recording_id", "start_s", "is_sure")
    assert sorted(map(str, stored)) == sorted(map(str, places))


def by_killed_processes(round: Round) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "CHAD_DATABASE_NAME": str(connection.settings_dict["NAME"]),
        "CHAD_ROUND_WAITS_DAYS": "0",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "ml_worker.tests.killed_rounds", str(round.pk)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
