"""Proposed phrases lie at rests, last as long as asked, are sung enough and never overlap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_worker.audio.measure import bounds_agree, melody_of_notes
from ml_worker.audio.melody import Melody
from ml_worker.audio.phrases import ENOUGH_VOICED, propose_phrases
from ml_worker.audio.ultrastar import read_song
from ml_worker.tests.shared_data import shared_data

HOP_S = 0.016


def melody_of(passages: list[tuple[float, float, float]], hop_s: float = HOP_S) -> Melody:
    """A melody of (seconds, MIDI pitch, seconds of rest after)."""
    pitch = np.concatenate(
        [
            np.concatenate([np.full(round(sung / hop_s), value), np.full(round(rest / hop_s), np.nan)])
            for sung, value, rest in passages
        ]
    )
    voiced = np.isfinite(pitch)
    f0_hz = np.where(voiced, 440 * 2 ** ((np.nan_to_num(pitch) - 69) / 12), 0).astype(np.float32)
    return Melody(hop_s, f0_hz, voiced, voiced.astype(np.float32), "made")


def line(seconds: float = 8.0, rest: float = 1.5) -> list[tuple[float, float, float]]:
    """A line of half-second notes, then a rest."""
    notes = [(0.4, 60 + step % 5, 0.05) for step in range(round(seconds / 0.45))]
    return [*notes[:-1], (0.4, 60, rest)]


def test_lines_between_clear_rests_are_the_phrases():
    phrases = propose_phrases(melody_of([(0.0, 60, 2.0), *line(), *line(), *line()]))
    assert len(phrases) == 3
    assert [phrase.start_s for phrase in phrases] == pytest.approx([1.85, 11.4, 20.9], abs=0.3)


def test_short_lines_are_taken_together():
    phrases = propose_phrases(melody_of([passage for _ in range(8) for passage in line(2.2, 0.4)]))
    assert phrases
    assert all(phrase.end_s - phrase.start_s >= 4 for phrase in phrases)


def test_a_long_line_is_split_at_its_best_pause():
    long_line = [*line(12.0, 0.3)[:-1], (1.4, 60, 0.35), *line(12.0, 2.0)]
    phrases = propose_phrases(melody_of(long_line))
    assert len(phrases) >= 2
    assert any(abs(phrase.end_s - 13.2) < 1.0 for phrase in phrases)


def test_a_long_note_may_end_a_phrase_without_any_rest():
    notes = [(0.4, 60 + step % 3, 0.0) for step in range(30)]
    phrases = propose_phrases(melody_of([*notes, (2.0, 67, 0.0), *notes]))
    assert len(phrases) == 2
    assert phrases[0].end_s == pytest.approx(14.0, abs=0.2)


def test_nothing_is_proposed_across_an_instrumental_part():
    phrases = propose_phrases(melody_of([*line(5.0, 6.0), *line(5.0, 1.0)]))
    assert len(phrases) == 2
    assert phrases[0].end_s < 6
    assert phrases[1].start_s > 10.5


@pytest.mark.parametrize("passages", [[(0.0, 60, 10.0)], [(1.0, 60, 9.0)], [(0.1, 60, 1.0)] * 30])
def test_too_little_song_gives_no_phrase(passages):
    assert propose_phrases(melody_of(passages)) == []


def test_an_empty_melody_gives_no_phrase():
    nothing = np.zeros(0, np.float32)
    assert propose_phrases(Melody(HOP_S, nothing, nothing.astype(bool), nothing, "none")) == []


PASSAGES = st.tuples(st.floats(0.05, 25), st.floats(40, 80), st.floats(0, 6))


@settings(max_examples=60, deadline=None)
@given(st.lists(PASSAGES, min_size=1, max_size=40), st.sampled_from([0.01, 0.016, 0.05]))
def test_phrases_keep_their_promises(made, hop_s):
    melody = melody_of(made, hop_s)
    phrases = propose_phrases(melody)
    ends = [0.0, *(phrase.end_s for phrase in phrases)]
    for phrase, end_before in zip(phrases, ends, strict=False):
        assert phrase.start_s >= end_before - 1e-9
        assert 4 - 1e-3 <= phrase.end_s - phrase.start_s <= 20 + 1e-3
        assert phrase.end_s <= melody.duration_s + 1e-3
        assert ENOUGH_VOICED - 1e-3 <= phrase.voiced_share <= 1


def test_on_a_real_song_the_bounds_are_ends_of_lines():
    """From ontherun's notes 0.79 of the starts and 0.96 of the ends are within 0.5 s of a line's; by chance 0.18."""
    song = read_song(shared_data("songs", "ontherun", "song.txt"))
    phrases = propose_phrases(melody_of_notes(song, 280.0))
    starts, ends = bounds_agree(phrases, song)
    assert len(phrases) > 15
    assert starts > 0.6
    assert ends > 0.8
