"""The starter catalogue alone: rendered, hummed by simulated singers, trained on, mined, and compared with the truth.

Synthetic from end to end, and small, so that it fits a test: what it shows is that the chain works, not how well.
"""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command

from annotation.models import Control, Reviewer, ReviewItem, Verdict
from ml_worker.fingerprint.frozen import Size
from ml_worker.fingerprint.shipped import starter_sureness
from ml_worker.models import Checkpoint, FingerprintSet, Job, Round
from ml_worker.running import run_here
from ml_worker.work.mine import mine_song
from ml_worker.work.simulate import SIMULATED
from recordings.models import CoverFragment, Humming, Song
from recordings.models.songs import Split

# What a round has many of, and its test only so many as show that it works.
FEWER = {
    "ml_worker.work.starter.COVERS_OF_A_TUNE": 1,
    "ml_worker.work.training_data.COMPOSED": 100,
    # Of fewer tunes one that falls by chance is a fall that the gates refuse.
    "ml_worker.work.promotion.SIZE": Size(tunes=40, distractors=0),
    "ml_worker.fingerprint.shipped.NULL_PAIRS": 15,
    # After a few more steps the network is about as sure as the starter checkpoint.
    "ml_worker.mining.calibration.sureness_of": lambda *asked: starter_sureness("short"),
}

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def simulated(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict:
    """One round on six songs with a cover each, and its figures."""
    for name, fewer in FEWER.items():
        monkeypatch.setattr(name, fewer)
    call_command("simulate", songs=6, singers=2, takes=20, reviewers=1, spammers=2, rounds=1, steps=6, json=True)
    said = capsys.readouterr()
    assert "3 reviewers judge instead of 1: with fewer, a split is never settled." in said.err
    with capsys.disabled():
        print("\n" + "\n".join(line for line in said.err.splitlines() if "precision" in line))
    return json.loads(said.out)


def test_mined_fragments_agree_with_the_true_time_maps(simulated: dict) -> None:
    (told,) = simulated["rounds"]
    assert (told["number"], told["state"]) == (1, Round.State.PROMOTED), told["decision"]
    assert told["decision"] == Round.objects.get().decision
    assert set(told["tunes_never_seen"]) == {"composed", "starter"}
    mined = told["mined"]
    for name, tally in mined.items():
        assert tally["covers"] > 0, name
        # Far above chance: a fragment lies in its cover at a few of hundreds of places.
        assert tally["precision"] >= 0.8, (name, tally)
        assert tally["recall"] >= 0.5, (name, tally)
        assert tally["median_start_error_s"] <= 0.25, (name, tally)

    checkpoint = Checkpoint.objects.trained_here().get()
    trained_on = {song for song, _, _ in checkpoint.data["versions"]}
    train_songs = {str(pk) for pk in Song.objects.filter(split=Split.TRAIN).values_list("pk", flat=True)}
    assert trained_on
    assert trained_on <= train_songs, "a validation or test song reached training"
    fragments = CoverFragment.objects.all()
    assert all(one.checkpoint == checkpoint.name and one.mining_settings and one.null_level for one in fragments)
    assert all(hum.simulated for hum in Humming.objects.all())
    assert FingerprintSet.objects.filter(checkpoint=checkpoint).exists()

    # The double-check of a simulated crowd: control items were met, and show who judges by no truth.
    assert not ReviewItem.objects.waiting().exists()
    assert Control.objects.live().exists()
    standings = {one.person.username: one for one in Reviewer.objects.select_related("person")}
    careful = [one for name, one in standings.items() if name.startswith("simulated-reviewer")]
    assert Reviewer.State.SET_ASIDE not in {one.state for one in careful}
    assert standings["simulated-spammer-1"].rejects_bad < min(one.rejects_bad for one in careful)
    assert {one.person.groups.filter(name=SIMULATED).exists() for one in standings.values()} == {True}
    verdicts = Verdict.objects.standing()
    assert all(one.took_s and one.heard_s and one.took_s > one.heard_s for one in verdicts)
    assert verdicts.exclude(nudge_s=0).exists()
    # Nobody has two verdicts on an item.
    assert len(set(verdicts.values_list("item", "person"))) == verdicts.count()

    # Mining again changes nothing: the same fragments under the same ids.
    before = set(fragments.values_list("pk", "state"))
    mine_song(fragments.first().fragment.song, lambda share, message: None)
    assert set(CoverFragment.objects.values_list("pk", "state")) == before


def test_with_too_little_data_training_says_so_and_does_nothing() -> None:
    job = run_here(Job.Kind.TRAIN, "short", kind="short")
    assert job.state == Job.State.FAILED
    assert "there are 0" in job.failure
    assert "Nothing was trained" in job.failure
    assert not Checkpoint.objects.exists()


def test_without_an_original_mining_says_so() -> None:
    song = Song.objects.create(title="A song", artist="Somebody")
    job = run_here(Job.Kind.MINE, song.pk)
    assert "no analysed original" in job.failure
