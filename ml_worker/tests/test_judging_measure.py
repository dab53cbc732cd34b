"""The measurements of the check: takes are spoiled by what is said, and hums from scores are found."""

from __future__ import annotations

import numpy as np
import pytest

from ml_worker.audio.sound import Sound
from ml_worker.audio.ultrastar import SungNote, SungSong
from ml_worker.catalogue import SungTake
from ml_worker.judging.measure import scores, spoiled
from ml_worker.judging.measure.mast_curves import MAST_HOP_S, mast_curves, mast_half
from ml_worker.judging.measure.sung_words import WordTake, left_out
from ml_worker.judging.words import WordSigns
from ml_worker.tests.shared_data import SHARED, shared_data

RATE = 16_000


def tone(level: float = 0.5, seconds: float = 2.0) -> Sound:
    return Sound.from_mono(level * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE)) / RATE), RATE)


@pytest.mark.parametrize("snr_db", [20, 6, 0])
def test_noise_lies_as_far_under_the_voice_as_is_said(snr_db):
    take = tone(0.1)
    noise = spoiled.noisy(take, snr_db, spoiled.power_db(take.mono()), np.random.default_rng(0)).mono() - take.mono()
    assert spoiled.power_db(take.mono()) - spoiled.power_db(noise) == pytest.approx(snr_db, abs=0.5)


def test_holes_are_as_long_as_is_said():
    take = tone()
    holed = spoiled.holed(take, np.ones(take.frames, bool), 0.05, 0.2, np.random.default_rng(0))
    assert np.mean(holed.mono() == 0) * take.duration_s == pytest.approx(0.2, abs=0.01)


def test_a_leak_is_as_loud_as_is_said():
    noise = Sound.from_mono(np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    heard = spoiled.leaked(tone(0.1), noise, 0.5, -6, np.random.default_rng(1))
    hum = tone(0.1).mono() * (heard.mono()[1000] / tone(0.1).mono()[1000])
    leak = (heard.mono() - hum)[round(0.5 * RATE) : round(1.75 * RATE)]
    assert spoiled.power_db(leak) - spoiled.power_db(hum) == pytest.approx(-6, abs=0.5)


def test_a_recording_left_out_is_not_asked_for_its_own_limit():
    def take(name: str, kind: str, change: float, hiss: float) -> WordTake:
        return WordTake(name, kind, tone(), WordSigns(change, hiss))

    takes = [
        take("a", "sung words", 3.0, 0.02),
        take("b", "sung words", 4.0, 0.03),
        take("c", "no words", 1.0, 0.0),
        take("d", "no words", 5.0, 0.04),
    ]
    assert left_out(takes, "d") == [True]
    assert left_out(takes, "c") == [False]


# --- curves of f0/mast


def test_the_curves_of_mast_come_in_the_order_of_their_table_and_in_halves(tmp_path):
    folder = tmp_path / "f0" / "mast"
    folder.mkdir(parents=True)
    rows = [("k3", "air", "reference"), ("k1", "reel", "pass"), ("k2", "jig", "fail")]
    table = "\n".join("\t".join(row) for row in [("key", "melody", "kind"), *rows])
    (folder / "index.tsv").write_text(table + "\n", encoding="utf-8")
    np.savez(folder / "f0.npz", **{key: np.array([0, 220.0]) for key in ("k1", "k2", "k3")})
    curves = mast_curves(tmp_path)
    assert [(curve.key, curve.name, curve.kind) for curve in curves] == rows
    assert curves[0].melody.voiced.tolist() == [False, True]
    assert curves[0].melody.duration_s == pytest.approx(2 * MAST_HOP_S)
    assert (mast_half(curves, tuning=True), mast_half(curves, tuning=False)) == (["air", "reel"], ["jig"])


# --- hums from scores


def score(*phrases: tuple[float, float]) -> SungSong:
    """A song of phrases with a start and an end, two notes each."""

    def notes(start_s: float, end_s: float) -> tuple[SungNote, ...]:
        middle_s = (start_s + end_s) / 2
        return SungNote(start_s, middle_s, 60, "la"), SungNote(middle_s, end_s, 64, "la")

    return SungSong({}, tuple(notes(*phrase) for phrase in phrases))


def test_fragments_end_with_phrases_and_last_4_to_12_s():
    fragments = scores.fragments_of(score((0, 3), (3.5, 6), (7, 12), (13, 14), (30, 33), (33, 40), (41, 54)))
    assert fragments == [(0, 6), (7, 12), (30, 40)]


def test_errors_are_found_minus_true_without_the_scores_own():
    take = SungTake(tone(), offset_s=1.0, tempo_ratio=1.1, transposition=-12.0)
    errors = scores.errors((0.96, 1.1, 0.2), take, late_s=0.05, octaves_st=-12.0)
    assert errors.offset_s == pytest.approx(-0.04)
    assert errors.own_offset_s == pytest.approx(0.015)
    assert errors.tempo == pytest.approx(0)
    assert errors.transposition == pytest.approx(0.2)


def test_hums_from_a_real_songs_score_are_found_better_than_by_plain_dtw():
    shared_data("songs", "monkeyshines")
    song = scores.song_of("monkeyshines", SHARED)
    cases = [each for number in range(2) for each in scores.cases_of(song, number)]

    def of(against: str, method: str) -> dict:
        return scores.row([case for case in cases if (case.against, case.method) == (against, method)])

    assert of("score", "check")["offset error, ms"] < 60
    assert of("score", "check")["tempo error, %"] < 1
    assert of("score", "check")["key and octave right"] == 1
    for against in ("score", "recording"):
        assert of(against, "check")["offset error, ms"] < of(against, "plain DTW")["offset error, ms"]
