"""Training: it learns, can be repeated and resumed, and says when there is too little to learn from."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ml_worker.catalogue.composer import compose_tunes
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.data import Batches, Example, PairSource, Tune
from ml_worker.fingerprint.evaluation import evaluate_pairs, simulated_pairs
from ml_worker.fingerprint.network import new_encoder
from ml_worker.fingerprint.settings import Settings, Singing
from ml_worker.fingerprint.sung import Notes
from ml_worker.fingerprint.training import (
    Ahead,
    Progress,
    TooLittleData,
    learning_rate_at,
    out_of_patience,
    steps_for,
    train,
)
from ml_worker.tests.made_pairs import TINY, made_pairs, untrained
from ml_worker.tests.made_sung import SCORE, made_singable
from ml_worker.tests.trained_apart import trained


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small are quicker on one thread, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Killed(Exception):
    """Stands for the process being killed."""


def kill_at(step: int):
    def progress(told: Progress) -> None:
        if told.step == step:
            raise Killed

    return progress


def test_it_learns_to_recognise_tunes_it_never_heard():
    settings = dataclasses.replace(TINY, steps=50, learning_rate=4e-3)
    told: list[Progress] = []
    checkpoint = train(settings, made_pairs(range(12), takes=2), progress=told.append)
    first, last = told[0].loss, sum(one.loss for one in told[-10:]) / 10
    assert last < 0.6 * first
    assert [one.step for one in told] == list(range(1, 51))
    unheard = made_pairs(range(100, 160))
    trained = evaluate_pairs(checkpoint.encoder(), settings, unheard)
    before = evaluate_pairs(new_encoder(seed=settings.seed, **settings.network), settings, unheard)
    assert trained.songs == trained.queries == 60
    assert trained.top[1] > before.top[1] + 0.2
    assert trained.top[1] > 10 / 60  # ten times chance


def composed(count: int, seed: int) -> list[Tune]:
    """Tunes that nobody wrote."""
    tunes = []
    for score in compose_tunes(count, seed=seed):
        notes = np.array([(note.start_s, note.end_s, note.pitch) for note in score.notes], dtype=float)
        tunes.append(Tune(score.name, Notes(*notes.T)))
    return tunes


def test_it_learns_from_composed_tunes_to_find_hums_of_others():
    settings = TINY.changed(
        width=8, batch=16, steps=90, learning_rate=4e-3, singing=Singing(clumsiness=(0, 0.3)), recorded=SCORE
    )
    told: list[Progress] = []
    checkpoint = train(settings, [], tunes=composed(100, seed=1), progress=told.append)
    assert sum(one.loss for one in told[-10:]) / 10 < 0.85 * told[0].loss
    assert len(checkpoint.data.tunes) == 100
    unheard = simulated_pairs(composed(40, seed=2), settings, seed=3)
    after = evaluate_pairs(checkpoint.encoder(), settings, unheard)
    before = evaluate_pairs(untrained(settings).encoder(), settings, unheard)
    assert after.mrr > before.mrr + 0.1


def test_initial_weights_are_where_training_begins():
    settings = TINY.changed(steps=1, learning_rate=1e-12)
    first = train(TINY.changed(steps=2), made_pairs(range(4)))
    second = train(settings, made_pairs(range(4)), initial=first)
    torch.testing.assert_close(second.state["head.weight"], first.state["head.weight"], rtol=0, atol=1e-6)
    assert second.figures["initial"] == first.name
    with pytest.raises(ValueError, match="another network"):
        train(settings.changed(width=8), made_pairs(range(4)), initial=first)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_drawn_ahead_are_the_same_batches(workers):
    batches = Batches([PairSource(made_pairs(range(2)), TINY)], TINY)
    with Ahead(batches, 4, workers) as ahead:
        for step in (0, 1, 3, 2):  # in order or not
            drawn, same = vars(ahead.batch(step)), vars(batches.batch(step))
            assert drawn.keys() == same.keys()
            for name, values in drawn.items():
                np.testing.assert_array_equal(values, same[name])


def test_processes_that_draw_change_no_number():
    settings, tunes = TINY.changed(steps=3), made_singable(range(4))
    alone, helped = train(settings, [], tunes=tunes), train(settings, [], tunes=tunes, workers=2)
    assert helped.name == alone.name
    assert helped.figures["losses"] == alone.figures["losses"]


def test_what_fails_in_a_process_that_draws_ends_the_training():
    class Failing(PairSource):
        def example(self, song: int, rng: np.random.Generator) -> Example:
            raise ArithmeticError("nothing can be drawn")

    batches = Batches([Failing(made_pairs(range(2)), TINY)], TINY)
    with Ahead(batches, 2, workers=1) as ahead, pytest.raises(ArithmeticError, match="nothing can be drawn"):
        ahead.batch(0)


def test_the_long_kind_trains_on_fragments_near_its_window():
    settings = Settings.of("long", width=4, dimensions=32, batch=16, steps=12, warmup_steps=2)
    told: list[Progress] = []
    checkpoint = train(settings, made_pairs(range(6)), progress=told.append)
    assert checkpoint.name.startswith("long-")
    assert sum(one.loss for one in told[-3:]) < sum(one.loss for one in told[:3])


def test_the_same_seed_and_data_give_the_same_checkpoint():
    settings, pairs = dataclasses.replace(TINY, steps=4), made_pairs(range(4))
    one, same = train(settings, pairs), train(settings, pairs)
    assert one.name == same.name
    assert all(torch.equal(one.state[name], same.state[name]) for name in one.state)
    assert train(dataclasses.replace(settings, seed=1), pairs).name != one.name


def test_a_killed_run_goes_on_to_the_same_checkpoint(tmp_path):
    settings, pairs = dataclasses.replace(TINY, steps=6, look_every=2), made_pairs(range(4))
    whole = train(settings, pairs, validation=made_pairs(range(50, 52)))
    with pytest.raises(Killed):
        train(settings, pairs, validation=made_pairs(range(50, 52)), out=tmp_path, progress=kill_at(5))
    told: list[Progress] = []
    resumed = train(settings, pairs, validation=made_pairs(range(50, 52)), out=tmp_path, progress=told.append)
    assert [one.step for one in told] == [5, 6]
    assert resumed.name == whole.name
    assert resumed.figures["losses"] == whole.figures["losses"]
    assert resumed.figures["validation"] == whole.figures["validation"]


def test_a_run_killed_by_the_system_goes_on_to_the_same_checkpoint(tmp_path):
    whole, _ = trained("longer")
    command = [sys.executable, "-m", "ml_worker.tests.trained_apart", str(tmp_path), "longer", "--wait-at", "5"]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout.readline() == "waiting\n"
        run.send_signal(signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL
    assert [path.suffix for path in (tmp_path / "longer").iterdir()] == [".state"]
    resumed, told = trained("longer", tmp_path / "longer")
    assert told == [5, 6, 7, 8]
    assert resumed.name == whole.name
    assert resumed.figures["losses"] == whole.figures["losses"]


def test_another_mixture_of_pairs_and_tunes_is_another_run(tmp_path):
    settings, pairs, tunes = TINY.changed(steps=4, look_every=2), made_pairs(range(4)), made_singable(range(4))
    with pytest.raises(Killed):
        train(settings, pairs, tunes=tunes, out=tmp_path, progress=kill_at(3))
    told: list[Progress] = []
    train(settings, pairs, tunes=tunes, share_of_tunes=0.25, out=tmp_path, progress=told.append)
    assert told[0].step == 1


def test_other_settings_do_not_take_up_an_interrupted_run(tmp_path):
    settings, pairs = dataclasses.replace(TINY, steps=4, look_every=2), made_pairs(range(4))
    with pytest.raises(Killed):
        train(settings, pairs, out=tmp_path, progress=kill_at(3))
    told: list[Progress] = []
    train(dataclasses.replace(settings, seed=5), pairs, out=tmp_path, progress=told.append)
    assert told[0].step == 1


def with_a_flipped_bit(content: bytes) -> bytes:
    """A weight or a number of the optimiser is another one, and the file can be read as before."""
    changed = bytearray(content)
    changed[-len(content) // 3] ^= 0x40
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [with_a_flipped_bit, lambda content: content[:100], lambda content: content.replace(b'\\"step\\"', b'\\"stop\\"')],
    ids=["a bit", "cut off", "no step"],
)
def test_a_damaged_state_costs_time_and_not_the_run(tmp_path, damage, caplog):
    settings, pairs = dataclasses.replace(TINY, steps=4, look_every=2), made_pairs(range(4))
    with pytest.raises(Killed):
        train(settings, pairs, out=tmp_path, progress=kill_at(3))
    [state] = tmp_path.glob("*.state")
    content = state.read_bytes()
    state.write_bytes(damage(content))
    assert state.read_bytes() != content
    told: list[Progress] = []
    again = train(settings, pairs, out=tmp_path, progress=told.append)
    assert told[0].step == 1
    assert again.name == train(settings, pairs).name
    assert "is damaged" in caplog.text
    assert {path.suffix for path in tmp_path.iterdir()} == {".damaged", ".safetensors"}


def test_the_checkpoint_lies_in_the_folder_and_nothing_else_does(tmp_path):
    settings = dataclasses.replace(TINY, steps=2)
    checkpoint = train(settings, made_pairs(range(4)), validation=made_pairs(range(50, 53)), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{checkpoint.name}.safetensors"]
    loaded = Checkpoint.load(tmp_path / f"{checkpoint.name}.safetensors")
    assert loaded.settings == settings
    assert loaded.data.songs == ("song 0", "song 1", "song 2", "song 3")
    assert loaded.figures["steps"] == 2
    assert loaded.figures["validation"][-1]["songs"] == 7


def test_too_little_data_is_said_and_nothing_is_done(tmp_path):
    with pytest.raises(TooLittleData, match=r"^Training needs accepted hums of at least 4 songs; there are 3\.$"):
        train(TINY, made_pairs(range(3), takes=2), out=tmp_path)
    too_short = [tune._replace(notes=tune.notes.part(0, 3)) for tune in made_singable(range(9))]
    with pytest.raises(TooLittleData):
        train(TINY, made_pairs(range(3), takes=2), tunes=too_short, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_no_number_stops_the_run_with_a_sentence(tmp_path):
    with pytest.raises(FloatingPointError, match=r"no number at step \d+\. Train with a lower learning rate"):
        train(dataclasses.replace(TINY, learning_rate=1e30, steps=5), made_pairs(range(4)), out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_training_leaves_torch_s_global_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    train(dataclasses.replace(TINY, steps=1), made_pairs(range(4)))
    assert torch.equal(before, torch.get_rng_state())


def test_it_stops_early_only_when_asked():
    looks = [{"top1": rate} for rate in (0.2, 0.5, 0.5, 0.4)]
    assert not out_of_patience(Settings(), looks)
    assert out_of_patience(Settings(patience=2), looks)
    assert not out_of_patience(Settings(patience=3), looks)


def test_the_learning_rate_rises_and_falls():
    settings = Settings(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate_at(step, settings) for step in range(100)]
    assert rates[9] == max(rates) == 1.0
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.01


def test_an_epoch_draws_every_pair_once():
    assert steps_for(1, made_pairs(range(4), takes=8), TINY) == 3
    assert steps_for(3, made_pairs(range(1)), TINY) == 1
