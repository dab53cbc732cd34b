"""What a check keeps of a take's place in time: each value with its method and confidence, and which one is gone by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_worker.audio.sound import Sound
from ml_worker.audio.trackers import track_melody
from ml_worker.catalogue import SungTake, render_original, sing, tunes
from ml_worker.catalogue.render import Rendering
from ml_worker.work.audio_files import store_analysis, store_audio
from ml_worker.work.capture import by_browser, loopback_of
from ml_worker.work.check import check_hum
from ml_worker.work.simulate import wav_of
from recordings.models import Estimate, Fragment, Humming, Recording, most_trusted
from recordings.tests import factories

START_S = 0.5
LATENCY_S = 0.13


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return render_original(next(tune for tune in tunes() if tune.slug == "auld-lang-syne"))


@pytest.fixture
def fragment(rendering: Rendering, db: None, settings: Any, tmp_path: Any) -> Fragment:
    factories.use_storage(settings, tmp_path / "storage")
    recording = Recording(song=factories.make_song(), kind="original", source="generated")
    store_audio(recording, rendering.mix)
    recording.save()
    store_analysis(recording, track_melody(rendering.lead), "stem")
    start_s, end_s = rendering.phrases[0]
    return factories.make_fragment(recording, start_s, end_s)


def hummed(rendering: Rendering, fragment: Fragment, leak_db: float | None = None, **capture: Any) -> tuple:
    """A take of the first phrase hummed along, the reference started START_S before it; (take, what is true of it)."""
    sung = sing(rendering.phrase_notes(0), seed=3, style="along")
    start_s = sung.offset_s - LATENCY_S
    if leak_db is not None:
        sung = with_leak(sung, rendering, fragment, leak_db)
    rate = sung.sound.sample_rate
    take = factories.make_humming(
        fragment,
        state=Humming.State.SAVED,
        wav=wav_of(sung.sound),
        check=False,
        reference_start_frame=round(start_s * rate),
        capture=capture,
    )
    return take, sung


def with_leak(sung: SungTake, rendering: Rendering, fragment: Fragment, leak_db: float) -> SungTake:
    """The take with what played in it, LATENCY_S late, at so many decibels against the voice."""
    rate = sung.sound.sample_rate
    heard = rendering.mix.cut(fragment.start_s, fragment.end_s).resampled(rate).mono()
    voice = sung.sound.mono().astype(float)
    gain = 10 ** (leak_db / 20) * voice.std() / heard.std()
    first = round(sung.offset_s * rate)
    end = min(len(voice), first + len(heard))
    voice[first:end] += gain * heard[: end - first]
    return replace(sung, sound=Sound.from_mono(voice.astype(np.float32), rate))


def values(take: Humming) -> dict[tuple[str, str], Estimate]:
    return {(one.quantity, one.method): one for one in take.estimates.all()}


def test_every_value_is_kept_with_its_method_and_the_audio_is_as_it_came(rendering, fragment):
    context = {"base_latency_s": 0.01, "output_latency_s": 0.02, "input_latency_s": 0.005}
    told = {"kind": "loudspeaker", "latency_s": LATENCY_S, "confidence": 0.95, "leak_db": -20.0}
    take, sung = hummed(rendering, fragment, context=context, sound_check=told)
    before = take.audio.read()
    check = check_hum(take)
    assert check.ok, check.reasons
    found = values(take)
    assert found["latency_s", "loopback"].value == LATENCY_S
    assert found["latency_s", "browser"].value == pytest.approx(0.035)
    assert found["offset_s", "curves"].value == check.offset_s == pytest.approx(sung.offset_s, abs=0.05)
    assert 0 <= found["offset_s", "curves"].confidence <= 1
    assert found["tempo_ratio", "curves"].value == pytest.approx(sung.tempo_ratio, rel=0.02)
    assert found["transposition", "curves"].value == pytest.approx(sung.transposition, abs=0.5)
    best = most_trusted(take.estimates.all(), "latency_s")
    assert (best.method, best.value) == ("loopback", LATENCY_S)
    with take.audio.open() as stored:
        assert stored.read() == before
    count = take.estimates.count()
    check_hum(take)
    assert take.estimates.count() == count, "checking twice is checking once"


def test_a_leak_tells_the_latency_where_nothing_was_measured_before(rendering, fragment):
    take, _ = hummed(rendering, fragment, leak_db=-15.0)
    check = check_hum(take)
    best = most_trusted(take.estimates.all(), "latency_s")
    assert best.method == "leak"
    assert best.value == pytest.approx(LATENCY_S, abs=0.003)
    assert "leak" in {reason["code"] for reason in check.reasons}


def test_a_take_that_its_singer_deleted_is_not_checked(rendering, fragment):
    from ml_worker.work import CannotBeDone

    take, _ = hummed(rendering, fragment)
    Humming.objects.update(audio="")
    take.refresh_from_db()
    with pytest.raises(CannotBeDone, match="deleted"):
        check_hum(take)


# --- the order of trust


def estimate(method: str, confidence: float | None = None) -> Estimate:
    return Estimate(quantity="latency_s", method=method, value=0.1, confidence=confidence)


def test_the_order_of_trust():
    every = [estimate("curves", 0.3), estimate("browser", 0.2), estimate("leak", 0.8), estimate("loopback", 0.9)]
    for rank, method in enumerate(("loopback", "leak", "browser", "curves")):
        assert most_trusted(every[: 4 - rank], "latency_s").method == method
    assert most_trusted([], "latency_s") is None
    assert most_trusted(every, "offset_s") is None


def test_a_measurement_that_does_not_trust_itself_is_passed_over():
    doubtful = [estimate("browser", 0.2), estimate("leak", 0.8), estimate("loopback", 0.3)]
    assert most_trusted(doubtful, "latency_s").method == "leak"
    assert most_trusted([estimate("loopback", 0.3), estimate("browser", 0.2)], "latency_s").method == "browser"


# --- what the browser tells

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from(["base_latency_s", "output_latency_s", "input_latency_s"]), ANYTHING))
def test_whatever_the_browser_says_of_itself_breaks_nothing(context: dict[str, Any]):
    told = by_browser({"context": context})
    assert told is None or 0 <= told.value <= 5


def test_an_integer_beyond_every_float_is_no_latency():
    assert by_browser({"context": {"base_latency_s": 10**4000, "output_latency_s": 0.02}}).value == 0.02


def test_headphones_have_no_loopback():
    assert loopback_of({}) is None
    assert loopback_of({"sound_check": None}) is None
    assert loopback_of({"sound_check": {"kind": "headphones", "latency_s": 0.1, "confidence": 0.9}}) is None
    heard = loopback_of({"sound_check": {"kind": "loudspeaker", "latency_s": 0.1, "confidence": 0.9}})
    assert (heard.method, heard.value, heard.confidence) == ("loopback", 0.1, 0.9)
