"""Search by fingerprints: a hum that is the tune itself, moved and stretched, is found where it is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ml_worker.audio.decode import decode
from ml_worker.audio.melody import Melody
from ml_worker.audio.trackers import track_melody
from ml_worker.fingerprint.checkpoint import Checkpoint
from ml_worker.fingerprint.fingerprinter import recording_features
from ml_worker.fingerprint.image import Painter
from ml_worker.fingerprint.settings import Settings
from ml_worker.retrieval.matcher import NothingHeard
from ml_worker.retrieval.network_matcher import (
    LONGEST_HUM_S,
    MOST_WINDOWS,
    TEMPO_RATIOS,
    NetworkMatcher,
    Voiced,
    heard_hum,
)
from ml_worker.tests.made_hums import curve_melody
from ml_worker.tests.made_pairs import TINY, steady, transposed, untrained
from ml_worker.tests.made_tunes import made_tune, melody_of
from ml_worker.tests.shared_data import shared_data

TUNES = [melody_of(made_tune(seed, 20), seed=seed) for seed in range(6)]
CURVES = ("f0_hz", "voiced", "confidence")
DESIGNS = [TINY, TINY.changed(centred="window"), Settings.of("long", width=4)]


def telling(settings: Settings) -> Checkpoint:
    """An untrained network with what all its fingerprints share taken out, as training would do."""
    checkpoint = untrained(settings)
    network = checkpoint.encoder()
    painters = [Painter.of(tune, has_attack=settings.attack) for tune in TUNES]
    with torch.inference_mode():
        if settings.centred == "window":
            images = [torch.from_numpy(painter.paint(np.arange(10.0), 75)) for painter in painters]
            found = torch.cat([network.features(image).mean(dim=2) for image in images])
        else:
            found = torch.cat([recording_features(network, painter)[0].T for painter in painters])
    bias = -checkpoint.state["head.weight"] @ found.mean(dim=0)
    return dataclasses.replace(checkpoint, state={**checkpoint.state, "head.bias": bias})


@pytest.fixture(scope="module", params=DESIGNS, ids=["recording", "window", "long"])
def matcher(request) -> NetworkMatcher:
    return NetworkMatcher([*TUNES, steady([np.nan] * 20)], telling(request.param))


@pytest.fixture(scope="module")
def by_windows() -> NetworkMatcher:
    """Windows are drawn by themselves here, so a part of a tune has the very fingerprints that it has in the whole."""
    return NetworkMatcher([*TUNES, steady([np.nan] * 20)], telling(TINY.changed(centred="window")))


def slower(melody: Melody, ratio: float) -> Melody:
    """The melody at a tempo so many times as slow."""
    return dataclasses.replace(melody, hop_s=melody.hop_s * ratio)


def after_silence(melody: Melody, seconds: float) -> Melody:
    """The melody after so many seconds without a voice."""
    silent = round(seconds / melody.hop_s)
    padded = {name: np.pad(getattr(melody, name), (silent, 0)) for name in CURVES}
    return dataclasses.replace(melody, **padded)


def test_a_tune_finds_itself_in_another_key_and_tempo(matcher):
    for index, tune in enumerate(TUNES):
        ratio = TEMPO_RATIOS[2 * index]
        found = matcher.match(slower(transposed(tune, 3.7), ratio))
        assert found.best(1)[0] == index
        assert found.scores[index] == pytest.approx(1, abs=0.02)
        assert found.tempo_ratios[index] == pytest.approx(ratio)
        assert found.starts_s[index] == pytest.approx(0.3, abs=0.1)  # where the tune's first note is


def test_a_part_of_a_tune_is_found_in_its_place(by_windows):
    part = TUNES[2].cut(2.3, 10.3)  # on the hop from the first note on
    assert part.voiced[0]
    hum = after_silence(slower(part, TEMPO_RATIOS[8]), 2.0)
    found = by_windows.match(hum)
    assert found.best(1)[0] == 2
    assert found.scores[2] == pytest.approx(1, abs=0.02)
    assert found.tempo_ratios[2] == pytest.approx(TEMPO_RATIOS[8])
    assert found.starts_s[2] == pytest.approx(2.3, abs=0.1)


def test_where_a_target_begins_silent_the_place_is_told_in_its_own_seconds():
    late = NetworkMatcher([after_silence(TUNES[0], 5.0), TUNES[1]], telling(TINY))
    found = late.match(TUNES[0])
    assert found.best(1)[0] == 0
    assert found.starts_s[0] == pytest.approx(5.3, abs=0.3)


def test_from_the_start_a_hum_of_the_middle_does_not_fit(by_windows):
    part = slower(TUNES[2].cut(2.3, 10.3), TEMPO_RATIOS[6])
    assert by_windows.match(part).scores[2] > 0.98
    assert by_windows.match(part, from_start=True).scores[2] < 0.9
    beginning = by_windows.match(slower(TUNES[2].cut(0, 8.3), TEMPO_RATIOS[6]), from_start=True)
    assert beginning.best(1)[0] == 2
    assert beginning.scores[2] > 0.98
    assert beginning.starts_s[2] == pytest.approx(0.3, abs=0.1)


def test_both_answers_of_one_search_are_those_of_two(matcher):
    windows = matcher.windows(TUNES[3].cut(4, 12))
    for from_start, found in zip((False, True), matcher.match_both(windows), strict=True):
        asked = matcher.match_windows(windows, from_start=from_start)
        assert found.scores == pytest.approx(asked.scores, abs=1e-5)
        assert found.starts_s == pytest.approx(asked.starts_s)
        assert found.tempo_ratios == pytest.approx(asked.tempo_ratios)


def test_a_hum_that_goes_on_beyond_its_target_is_nearer_to_it_than_to_others(by_windows):
    last, more = TUNES[2].cut(11, 19), melody_of(made_tune(50, 20), seed=50).cut(4, 9)
    joined = {name: np.concatenate([getattr(one, name) for one in (last, more)]) for name in CURVES}
    found = by_windows.match(dataclasses.replace(last, **joined))
    assert found.best(1)[0] == 2
    assert found.starts_s[2] == pytest.approx(11, abs=0.5)


@pytest.mark.parametrize("from_start", [False, True])
def test_a_target_without_voice_cannot_be_compared(matcher, from_start):
    found = matcher.match(TUNES[0].cut(2, 9), from_start=from_start)
    assert found.scores[-1] == -np.inf
    assert np.isfinite(found.scores[:-1]).all()


@pytest.mark.parametrize("hum", [steady([]), steady([np.nan] * 20), steady([60.0]), steady([np.nan] * 9 + [60.0])])
def test_too_little_voice_is_said_in_a_sentence(by_windows, hum):
    with pytest.raises(NothingHeard, match="Hum a little longer"):
        by_windows.match(hum)


def test_the_silence_around_a_hum_does_not_count():
    voiced = Voiced.of(steady([np.nan, np.nan, 60.0, np.nan, 62.0, np.nan]))
    assert voiced.begins_s == pytest.approx(1.0)
    assert voiced.source.duration_s == pytest.approx(1.5)
    assert voiced.seconds == pytest.approx(1.0)


def test_a_hum_is_heard_after_much_talk_and_talk_alone_is_refused():
    talk = track_melody(decode(shared_data("alignment", "offset", "timbl_1.mp3"))).cut(0, 20)
    notes = np.repeat([60.0, 62.0, 64.0, 60.0, 67.0, 65.0], round(0.5 / talk.hop_s))
    rest = np.full(round(0.8 / talk.hop_s), np.nan)
    pitch = np.concatenate([talk.pitch(), rest, notes])
    hum = heard_hum(curve_melody(pitch.astype(np.float32), talk.hop_s))
    assert hum.duration_s == pytest.approx(3, abs=0.1)
    with pytest.raises(NothingHeard, match="speaking"):
        heard_hum(talk)


def test_of_a_very_long_hum_as_much_is_drawn_as_can_be_compared():
    hum = steady([60.0, 62.0, 64.0] * 1200)
    assert hum.duration_s > 2 * LONGEST_HUM_S
    assert heard_hum(hum).duration_s == pytest.approx(LONGEST_HUM_S, abs=0.1)


@pytest.mark.parametrize("seconds", [1.5, 10, 60])
def test_long_and_short_hums_have_a_bounded_number_of_windows(by_windows, seconds):
    hum = heard_hum(steady([60.0, 62.0, 64.0, 65.0] * 30).cut(0, seconds))
    for one in by_windows.encoder.windows_at(hum, (min(TEMPO_RATIOS), 1.0, max(TEMPO_RATIOS))):
        assert 1 <= len(one.vectors) == len(one.steps) <= MOST_WINDOWS
        assert one.steps[0] == 0
        assert one.steps[-1] < by_windows.encoder.longest


def test_all_tempi_in_one_pass_give_what_each_gives_by_itself(by_windows):
    """But for what lies beyond a hum's end: silence in the one, nothing in the other."""
    hum = heard_hum(steady([60.0, 62.0, 64.0, 65.0, 67.0] * 4).cut(0, 9))
    together = by_windows.encoder.windows_at(hum, TEMPO_RATIOS)
    for one, ratio in zip(together, TEMPO_RATIOS, strict=True):
        (alone,) = by_windows.encoder.windows_at(hum, (ratio,))
        assert np.array_equal(one.steps, alone.steps)
        assert (one.vectors * alone.vectors).sum(axis=1).min() > 0.9
