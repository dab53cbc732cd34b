"""What goes on in harmony beyond what the melody found."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.audio.chroma import Chroma, chroma_of_notes
from ml_worker.audio.melody import Melody
from ml_worker.audio.midi import MidiNote
from ml_worker.mining.extract import AlignedFragment
from ml_worker.mining.harmony import LONGEST_S, MOST_LOST, Harmony, _last_worth_it, continuations
from ml_worker.mining.sureness import Evidence

RATIO, SEMITONES, LASTS_S = 1.15, 3, 40.0


def chords(seed: int, ratio: float = 1.0, semitones: int = 0) -> Chroma:
    """Three notes that change every half second, played slower and in another key."""
    rng = np.random.default_rng(seed)
    played = [(at_s, number) for at_s in np.arange(0, LASTS_S, 0.5) for number in rng.integers(48, 72, size=3)]
    return chroma_of_notes(
        [MidiNote(at_s * ratio, (at_s + 0.5) * ratio, int(number) + semitones) for at_s, number in played]
    )


def sung_all_along(seconds: float, is_sung: bool = True) -> Melody:
    """A voice of which only matters whether it sings."""
    f0_hz = np.full(round(seconds / 0.01), 220.0 if is_sung else 0.0, dtype=np.float32)
    return Melody(0.01, f0_hz, f0_hz > 0, (f0_hz > 0).astype(np.float32), "made")


def fragment(a: tuple[float, float], transposition: float | None = SEMITONES) -> AlignedFragment:
    """What the melody found there."""
    b = a[0] * RATIO, a[1] * RATIO
    return AlignedFragment(a, b, 0.9, RATIO, transposition, "accepted", 0.99, Evidence(0.0, 0.1, 5.0, 9))


MELODIES = sung_all_along(LASTS_S), sung_all_along(LASTS_S * RATIO)
CHROMAS = chords(1), chords(1, RATIO, SEMITONES)


def test_both_are_followed_to_their_ends_in_another_key_and_tempo_in_pieces_of_a_fragments_length():
    found = continuations([fragment((15, 20))], MELODIES, CHROMAS)
    assert min(one.a[0] for one in found) == pytest.approx(0, abs=0.5)
    assert max(one.a[1] for one in found) == pytest.approx(LASTS_S, abs=0.5)
    for one in found:
        assert one.b == pytest.approx((one.a[0] * RATIO, one.a[1] * RATIO), abs=0.3)
        assert one.tempo_ratio == pytest.approx(RATIO, rel=0.05)
        assert max(one.a[1] - one.a[0], one.b[1] - one.b[0]) <= LONGEST_S
        assert 0.8 < one.correlation <= 1


def test_where_the_harmony_is_another_nothing_goes_on():
    assert continuations([fragment((15, 20))], MELODIES, (CHROMAS[0], chords(2, RATIO, SEMITONES))) == []


def test_in_the_wrong_key_nothing_goes_on_nor_without_a_key():
    assert continuations([fragment((15, 20), SEMITONES + 1)], MELODIES, CHROMAS) == []
    assert continuations([fragment((15, 20), None)], MELODIES, CHROMAS) == []


def test_what_only_instruments_play_is_no_fragment():
    silent = sung_all_along(LASTS_S * RATIO, is_sung=False)
    assert continuations([fragment((15, 20))], (MELODIES[0], silent), CHROMAS) == []


def test_it_ends_where_the_next_fragment_of_the_cover_begins():
    found = continuations([fragment((0, 10)), fragment((25, 40))], MELODIES, CHROMAS)
    assert found
    assert all(one.b[0] >= 10 * RATIO - 0.1 and one.b[1] <= 25 * RATIO + 0.1 for one in found)
    apart = sorted(one.b for one in found)
    assert all(later[0] >= earlier[1] - 0.1 for earlier, later in pairwise(apart))


def test_silence_has_no_harmony():
    nothing = Chroma(np.zeros((1000, 12), dtype=np.float32))
    assert not Harmony.of(nothing).sounds.any()
    assert continuations([fragment((15, 20))], MELODIES, (nothing, nothing)) == []


@given(st.integers(-30, 30))
def test_a_key_is_a_turn_of_the_twelve_classes(semitones: int):
    harmony = Harmony.of(CHROMAS[0])
    turned = harmony.in_key(semitones)
    assert np.array_equal(turned.in_key(-semitones).shape, harmony.shape)
    assert np.array_equal(turned.shape[:, semitones % 12], harmony.shape[:, 0])


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40))
def test_it_goes_as_far_as_pays_before_too_much_is_lost(gains: list[int]):
    best, best_at, total = -np.inf, 0, 0.0
    for at, gain in enumerate(gains):
        total += gain
        if total > best:
            best, best_at = total, at
        elif best - total > MOST_LOST:
            break
    assert _last_worth_it(np.array(gains, dtype=float)) == best_at
