"""The checkpoints that come with CHAD: their files, their rows, and what is used when."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from itertools import pairwise

import numpy as np
import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from ml_worker import chain, made
from ml_worker.catalogue.composer import compose_tunes
from ml_worker.fingerprint import shipped
from ml_worker.mining.null import PITCH_CURVE_NULL
from ml_worker.models import Checkpoint
from ml_worker.tests import made_rows
from ml_worker.tests.made_starter import starters_in, untrained
from ml_worker.tests.manage import make_checkpoint
from ml_worker.work.starter import install_starter_checkpoints
from ml_worker.work.train import beginning
from recordings.tests import factories


@pytest.fixture
def starters(tmp_path, settings):
    factories.use_storage(settings, tmp_path / "storage")
    (tmp_path / "starter").mkdir()
    with starters_in(tmp_path / "starter") as names:
        yield names


# --- files


def test_a_missing_starter_says_so(starters):
    shipped.starter_path("long").unlink()
    with pytest.raises(shipped.NoStarter, match="The long starter checkpoint is missing"):
        shipped.starter_checkpoint("long")
    assert shipped.shipped_kinds() == ["short"]


def test_the_null_level_is_the_same_at_every_call(starters):
    first, second = (shipped.measure_null(untrained("short"), pairs=10) for _ in range(2))
    assert first == second
    assert first.is_of_z
    assert first.checkpoint == starters["short"]
    assert first.chance(0.999, 5, first.area) < first.chance(0.99, 5, first.area)


def test_unseen_tunes_are_none_that_are_trained_on():
    unseen = shipped.unseen_tunes(5, shortest_s=30.0)
    assert all(tune.notes.seconds >= 30 for tune in unseen)
    assert not {tune.name for tune in unseen} & {tune.name for tune in compose_tunes(20, seed=1)}
    assert unseen[0].name == shipped.unseen_tunes(1, shortest_s=30.0)[0].name


@pytest.mark.django_db
def test_training_begins_with_the_starter_where_its_network_is_the_same(starters):
    settings = untrained("short").settings
    assert beginning({}, settings).weights.name == starters["short"]
    assert beginning({"initial": "in use"}, settings).weights.name == starters["short"], "nothing was trained here"
    assert beginning({}, settings.changed(width=4)).weights is None
    assert beginning({"initial": "nothing"}, settings).weights is None


# --- rows


@pytest.mark.django_db
def test_installed_twice_is_once_and_the_page_says_where_it_came_from(starters, admin: Client):
    assert sorted(install_starter_checkpoints()) == sorted(starters.values())
    assert install_starter_checkpoints() == []
    assert set(Checkpoint.objects.shipped().values_list("name", flat=True)) == set(starters.values())
    assert all(row.null_level["checkpoint"] == row.name for row in Checkpoint.objects.all())
    page = admin.get("/manage/checkpoints/").content.decode()
    assert page.count("came with CHAD, installed") == 2
    assert chain.training().done == 0


@pytest.mark.django_db(transaction=True)
def test_two_that_install_at_once_make_one_row(starters):
    def install(_: int) -> list[str]:
        try:
            return install_starter_checkpoints()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(install, range(4)))
    assert Checkpoint.objects.count() == 2
    assert all(row.file.size > 0 for row in Checkpoint.objects.all())


@pytest.mark.django_db
def test_what_was_trained_here_is_used_once_it_is_promoted(starters):
    make_checkpoint("short-aaaaaaaaaaaa", standing=Checkpoint.Standing.REFUSED)
    make_checkpoint("short-cccccccccccc", standing=Checkpoint.Standing.CANDIDATE)
    install_starter_checkpoints()
    assert Checkpoint.objects.latest().name == starters["short"]
    assert Checkpoint.objects.to_mine_with() is None
    make_checkpoint("short-bbbbbbbbbbbb")
    assert Checkpoint.objects.latest().name == Checkpoint.objects.to_mine_with().name == "short-bbbbbbbbbbbb"


@pytest.mark.django_db
def test_what_was_trained_here_stays_so_when_its_job_is_deleted(admin: Client):
    trained = make_checkpoint()
    trained.job.delete()
    assert Checkpoint.objects.trained_here().get() == trained
    assert not Checkpoint.objects.shipped().exists()
    assert "trained here" in admin.get("/manage/checkpoints/").content.decode()


@pytest.mark.django_db
def test_checkpoints_from_before_are_marked_by_what_trained_them(admin: Client):
    migration = import_module("ml_worker.migrations.0006_checkpoints_that_came_with_chad")
    hum = made_rows.sung_hum(made_rows.sung_song(1))
    make_checkpoint("short-aaaaaaaaaaaa", job=None, is_shipped=False)
    make_checkpoint("short-bbbbbbbbbbbb", [hum], job=None, is_shipped=False)
    make_checkpoint("short-cccccccccccc", [hum])
    migration.mark_shipped(apps, None)
    assert Checkpoint.objects.shipped().get().name == "short-aaaaaaaaaaaa"


# --- learning curves


@given(st.integers(0, 3000), st.integers(1, 200))
def test_a_thinned_curve_has_few_points_and_ends_where_it_ended(steps, most):
    chosen = made.evenly(range(1, steps + 1), most)
    assert len(chosen) == min(steps, most)
    assert all(one < other for one, other in pairwise(chosen))
    assert not chosen or chosen[-1] == steps


@given(st.lists(st.floats(0, 10), min_size=1, max_size=500))
def test_points_are_medians_of_their_share(losses):
    curve = made.LearningCurve.of(losses, [])
    assert curve.losses[-1][0] == len(losses)
    last = curve.rows[-2].step if len(curve.rows) > 1 else 0
    assert curve.rows[-1].loss == pytest.approx(np.median(losses[last:]), abs=1e-4)


def test_a_curve_tells_both_in_words():
    looks = [{"step": 2, "top1": 0.5}, {"step": 4, "top1": 0.4}]
    curve = made.LearningCurve.of([4.0, 3.0, 2.0, 1.0], looks)
    assert "at the end and at best 0.50, after step 2" in curve.in_words
    assert [row.hit_rate for row in curve.rows] == [0.5, 0.4]


def test_chance_and_level_of_fishers_z_are_inverse():
    level = replace(PITCH_CURVE_NULL, is_of_z=True)
    assert level.chance(level.level(6.0, 0.01, 5000), 6.0, 5000) == pytest.approx(0.01)
