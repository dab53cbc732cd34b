"""What the page scripts promise: curves, live pitch, the check before sending, the file, the outbox, the capture."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from annotation.tests.front_end import Modules, modules, modules_with_microphone, packed, static_home, unpacked
from annotation.tests.studio_scripts import RATE_OF_MICROPHONE, RECORD, snr_db

__all__ = ["modules", "modules_with_microphone", "static_home"]

pytestmark = pytest.mark.browser

HOP_S = 0.02
SHARED = Path(os.environ.get("CHAD_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def shared(*parts: str) -> Path:
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"The shared data are not here: no {path}")
    return path


def tune(*notes: tuple[float | None, int]) -> dict[str, Any]:
    """A curve of notes (semitones or None, frames)."""
    return {"hop_s": HOP_S, "pitch": [pitch for pitch, frames in notes for _ in range(frames)]}


MELODY = tune((60, 25), (None, 5), (64, 25), (67, 25), (None, 10), (62, 40), (60, 20))


def moved(curve: dict[str, Any], semitones: float, late_frames: int = 0) -> dict[str, Any]:
    pitch = [None if p is None else p + semitones for p in curve["pitch"]]
    return {**curve, "pitch": [None] * late_frames + pitch}


# ---------------------------------------------------------------- melody.js


@pytest.mark.parametrize("key", [0, 0.4, -5, 7, 12, -17.3])
def test_the_singers_key_is_found_octave_included(modules: Modules, key: float) -> None:
    found = modules.run("melody.js", "return m.transposition(a[0], a[1])", MELODY, moved(MELODY, key))
    assert found == pytest.approx(key, abs=1e-6)


def test_octave_slips_of_the_tracker_do_not_move_the_key(modules: Modules) -> None:
    slipped = moved(MELODY, 3)
    slipped["pitch"][:20] = [p + 12 for p in slipped["pitch"][:20]]
    assert modules.run("melody.js", "return m.transposition(a[0], a[1])", MELODY, slipped) == pytest.approx(3)


def test_too_little_voice_has_no_key(modules: Modules) -> None:
    assert modules.run("melody.js", "return m.transposition(a[0], a[1])", MELODY, tune((60, 10))) is None


def test_the_overlay_lies_on_the_reference_from_any_key_with_octave_slips_folded(modules: Modules) -> None:
    own = moved(MELODY, -8)
    own["pitch"][55:80] = [None if p is None else p - 12 for p in own["pitch"][55:80]]
    # A run is folded whole, so the slip needs a rest around it, as trackers leave one.
    own["pitch"][54] = own["pitch"][80] = None
    shown = modules.run("melody.js", "return m.overlay(a[0], a[1]).curve.pitch", MELODY, own)
    apart = [abs(s - r) for s, r in zip(shown, MELODY["pitch"], strict=True) if s is not None]
    assert max(apart) < 1e-6


def test_a_wrong_note_stays_wrong_in_the_overlay(modules: Modules) -> None:
    own = moved(MELODY, 0)
    own["pitch"][30:55] = [p + 2 for p in own["pitch"][30:55]]
    shown = modules.run("melody.js", "return m.overlay(a[0], a[1]).curve.pitch", MELODY, own)
    assert shown[40] - MELODY["pitch"][40] == pytest.approx(2)


def test_fragment_time_follows_the_one_convention(modules: Modules) -> None:
    """Second u of the fragment is heard in the version at offset_s + u * tempo_ratio."""
    version = {"hop_s": 0.01, "pitch": list(range(300))}
    place = {"offset_s": 0.5, "tempo_ratio": 1.25}
    in_fragment = modules.run("melody.js", "return m.inFragmentTime(a[0], a[1])", version, place)
    for u in (0.0, 0.4, 1.6):
        pitch = modules.run("melody.js", "return m.pitchAt(a[0], a[1])", in_fragment, u)
        assert pitch == round((0.5 + u * 1.25) / 0.01)


@pytest.mark.parametrize(("key", "late"), [(0, 0), (5, 30), (-12, 75), (3.3, 110)])
def test_the_delay_of_a_hum_in_any_key_is_found(modules: Modules, key: float, late: int) -> None:
    found = modules.run("melody.js", "return m.bestDelay(a[0], a[1])", MELODY, moved(MELODY, key, late))
    assert found["delay_s"] == pytest.approx(late * HOP_S, abs=0.041)
    assert found["agreement"] > 0.9


def test_another_tune_agrees_less_than_the_same(modules: Modules) -> None:
    other = tune((67, 20), (61, 40), (70, 20), (None, 10), (63, 40), (68, 20))
    body = "return m.bestDelay(a[0], a[1]).agreement"
    assert modules.run("melody.js", body, MELODY, other) < 0.8
    assert modules.run("melody.js", body, MELODY, moved(MELODY, 4, 20)) > 0.9


def test_a_hum_on_one_note_is_not_drawn_as_a_storm(modules: Modules) -> None:
    span = modules.run("melody.js", "return m.spanOf([a[0]])", tune((60, 30), (60.3, 30)))
    assert span["high"] - span["low"] >= 10
    assert span["low"] < 60 < span["high"]


def test_smoothing_takes_out_a_scratch_and_keeps_notes_and_rests(modules: Modules) -> None:
    scratched = tune((60, 20), (None, 5), (65, 20))
    scratched["pitch"][10] = 71
    smooth = modules.run("melody.js", "return m.smoothed(a[0], 0.1).pitch", scratched)
    assert smooth == [60] * 20 + [None] * 5 + [65] * 20


def test_a_curve_has_words_for_those_who_do_not_see_it(modules: Modules) -> None:
    words = modules.run("melody.js", "return m.describe(a[0])", tune((60, 50), (67, 50)))
    assert words == "The melody: 2.0 seconds, from C4 to G4; it rises to its end."
    assert "nothing heard" in modules.run("melody.js", "return m.describe(a[0])", tune((None, 50)))


# ---------------------------------------------------------------- pitch.js


def tone(hz: float, sample_rate: int, seconds: float = 0.6) -> NDArray[np.float64]:
    t = np.arange(int(seconds * sample_rate)) / sample_rate
    return 0.2 * sum(np.sin(2 * np.pi * hz * k * t) / k for k in (1, 2, 3))


TRACK = "return m.trackPitch(floats(a[0]), a[1])"


@pytest.mark.parametrize("sample_rate", [16000, 44100, 96000])
@pytest.mark.parametrize("hz", [82.4, 261.6, 880.0])
def test_live_pitch_of_a_tone_is_within_a_tenth_of_a_semitone(modules: Modules, hz: float, sample_rate: int) -> None:
    curve = modules.run("pitch.js", TRACK, packed(tone(hz, sample_rate)), sample_rate)
    inner = curve["pitch"][5:-5]
    assert None not in inner
    assert np.abs(np.array(inner) - (69 + 12 * np.log2(hz / 440))).max() < 0.1


def test_silence_and_noise_have_no_pitch(modules: Modules) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 48000)
    quiet = modules.run("pitch.js", TRACK, packed(np.zeros(48000)), 48000)["pitch"]
    noisy = modules.run("pitch.js", TRACK, packed(noise), 48000)["pitch"]
    assert set(quiet) == {None}
    assert sum(p is not None for p in noisy) < 0.1 * len(noisy)


def test_live_pitch_does_not_depend_on_how_the_blocks_fall(modules: Modules) -> None:
    samples = packed(tone(220, 44100))
    fed = (
        "const t = new m.PitchTracker(44100); const x = floats(a[0]); const found = [];"
        "for (let k = 0; k < x.length; k += a[1]) found.push(...t.push(x.subarray(k, k + a[1]))); return found"
    )
    assert modules.run("pitch.js", fed, samples, 128) == modules.run("pitch.js", fed, samples, 5000)


def test_live_pitch_follows_a_real_voice(modules: Modules) -> None:
    """Against the hand-corrected f0 of vocadito_1: frames within 50 cents, of those that both call voiced."""
    samples, rate = soundfile.read(shared("hums", "vocadito", "Audio", "vocadito_1.wav"), stop=12 * 44100)
    times, hz = np.loadtxt(
        shared("hums", "vocadito", "Annotations", "F0", "vocadito_1_f0.csv"), delimiter=",", unpack=True
    )
    pitch = modules.run("pitch.js", TRACK, packed(samples), rate)["pitch"]
    ours = np.array([np.nan if p is None else p for p in pitch])
    truth = np.interp(np.arange(len(ours)) * HOP_S, times, hz)
    near = np.searchsorted(times, np.arange(len(ours)) * HOP_S).clip(0, len(hz) - 1)
    both = ~np.isnan(ours) & (hz[near] > 0) & (hz[near - 1] > 0)
    good = np.abs(ours[both] - (69 + 12 * np.log2(truth[both] / 440))) < 0.5
    assert both.sum() > 0.7 * (hz[near] > 0).sum()
    assert good.mean() > 0.95


# ---------------------------------------------------------------- wav.js


@pytest.mark.parametrize("length", [1, 2, 4801])
def test_a_take_is_the_very_samples_as_24_bit_wav(modules: Modules, length: int) -> None:
    samples = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    body = "const w = m.encodeWav(floats(a[0]), 44100); return [Array.from(new Uint8Array(w)), await m.sha256(w)]"
    octets, digest = modules.run("wav.js", body, packed(samples))
    file = bytes(octets)
    assert digest == hashlib.sha256(file).hexdigest()
    info = soundfile.info(io.BytesIO(file))
    assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_24", 1, 44100)
    read, _ = soundfile.read(io.BytesIO(file))
    assert np.abs(read - samples).max() <= 2**-24 + 1e-9


def test_samples_beyond_full_scale_are_held_at_it(modules: Modules) -> None:
    body = "return Array.from(new Uint8Array(m.encodeWav(floats(a[0]), 8000)))"
    read, _ = soundfile.read(io.BytesIO(bytes(modules.run("wav.js", body, packed(np.array([1.7, -1.7, 1.0]))))))
    assert read == pytest.approx([1, -1, 1], abs=2**-22)


# ---------------------------------------------------------------- take-check.js


CHECK = (
    "const pitch = await import('/static/js/pitch.js'); const samples = floats(a[0]);"
    "return m.checkTake({...a[4], samples, sampleRate: a[1], gaps: a[2], curve: pitch.trackPitch(samples, a[1])}, a[3])"
)


def findings(
    modules: Modules,
    samples: NDArray[np.floating],
    rate: int = 22050,
    gaps: tuple = (),
    phrase_s: float = 5.0,
    **known: Any,
) -> list[dict[str, Any]]:
    return modules.run("take-check.js", CHECK, packed(samples), rate, list(gaps), phrase_s, known)


def codes(found: list[dict[str, Any]]) -> list[str]:
    return [finding["code"] for finding in found]


@pytest.fixture(scope="module")
def hum() -> NDArray[np.float64]:
    """A real hum of 5.8 s at 22,050 Hz."""
    return soundfile.read(shared("hums", "henter", "melody_2.wav"))[0]


def test_a_good_hum_has_nothing_to_be_said(modules: Modules, hum: NDArray[np.float64]) -> None:
    assert findings(modules, hum) == []


def test_a_silent_microphone_is_told_and_not_sent(modules: Modules) -> None:
    (found,) = findings(modules, np.random.default_rng(0).normal(0, 1e-4, 22050 * 5))
    assert found["code"] == "silent"
    assert found["stop"]
    assert "could not hear you" in found["sentence"]


def test_a_slip_of_the_finger_is_told_and_not_sent(modules: Modules, hum: NDArray[np.float64]) -> None:
    (found,) = findings(modules, hum[:15000])
    assert (found["code"], found["stop"]) == ("too_short", True)


def test_a_quiet_hum_may_be_sent_with_advice(modules: Modules, hum: NDArray[np.float64]) -> None:
    found = findings(modules, 0.005 * hum / np.abs(hum).max())
    assert codes(found) == ["too_quiet"]
    assert not found[0]["stop"]


def test_a_clipped_hum_is_told(modules: Modules, hum: NDArray[np.float64]) -> None:
    assert codes(findings(modules, np.clip(20 * hum, -1, 1))) == ["clipped"]


def test_dropped_frames_are_told_with_their_length(modules: Modules, hum: NDArray[np.float64]) -> None:
    found = findings(modules, hum, gaps=({"frame": 1000, "frames": 6615},))
    assert codes(found) == ["gaps"]
    assert "0.3 seconds" in found[0]["sentence"]


def test_a_lost_end_is_told_with_its_length(modules: Modules, hum: NDArray[np.float64]) -> None:
    faded = hum.copy()
    faded[int(2.2 * 22050) :] = 0
    found = findings(modules, faded)
    assert codes(found) == ["cut_off"]
    assert found[0]["sentence"].startswith("We could not hear you for the last 3.")


def test_zeros_within_the_sound_are_lost_sound_though_no_frame_number_is_missing(
    modules: Modules, hum: NDArray[np.float64]
) -> None:
    """Chromium fills with zeros what its microphone did not deliver in time."""
    holed = hum.copy()
    middle = int(np.argmax(np.abs(hum)))
    holed[middle + 500 : middle + 500 + 2205] = 0
    found = findings(modules, holed)
    assert codes(found) == ["gaps"]
    assert "0.1 seconds" in found[0]["sentence"]


def test_an_interrupted_take_is_told(modules: Modules, hum: NDArray[np.float64]) -> None:
    (found,) = findings(modules, hum, interrupted="muted")
    assert (found["code"], found["stop"], found["again"]) == ("interrupted", False, True)


@pytest.mark.parametrize("known", [{"bandwidth_hz": 8000}, {"settings": {"sampleRate": 16000}}])
def test_a_headsets_call_mode_is_advice_that_humming_again_does_not_mend(
    modules: Modules, hum: NDArray[np.float64], known: dict[str, Any]
) -> None:
    (found,) = findings(modules, hum, **known)
    assert (found["code"], found["stop"], found["again"]) == ("narrow_band", False, False)
    assert "Bluetooth" in found["sentence"]


def test_a_wide_microphone_has_no_such_advice(modules: Modules, hum: NDArray[np.float64]) -> None:
    assert findings(modules, hum, bandwidth_hz=11025, settings={"sampleRate": 48000}) == []


def test_noise_is_no_hum(modules: Modules) -> None:
    found = findings(modules, np.random.default_rng(2).normal(0, 0.05, 22050 * 5))
    assert codes(found) in (["no_melody"], ["cut_off"], ["unclear"])


@pytest.mark.parametrize(("db", "word"), [(-70, "silent"), (-50, "quiet"), (-25, "good")])
def test_the_level_has_a_code_and_a_word(modules: Modules, db: float, word: str) -> None:
    for name in ("code", "word"):
        assert modules.run("take-check.js", "return m.levelWord(a[0], 0.5)[a[1]]", db, name) == word
        assert modules.run("take-check.js", "return m.levelWord(a[0], 1.0)[a[1]]", db, name) == "too loud"


# ---------------------------------------------------------------- studio.js


def block(frame: int, length: int) -> dict[str, Any]:
    return {"frame": frame, "length": length}


ASSEMBLE = (
    "const ramp = ({frame, length}) => ({frame, samples: Float32Array.from({length}, (_, k) => frame + k)});"
    "const blocks = a[0].map(ramp);"
    "const {samples, gaps} = m.assemble(blocks, a[1], a[2]); return {samples: Array.from(samples), gaps}"
)


def test_blocks_lie_where_the_clock_says_and_what_never_came_is_a_gap(modules: Modules) -> None:
    blocks = [block(90, 20), block(110, 10), block(125, 10), block(135, 30)]
    made = modules.run("studio.js", ASSEMBLE, blocks, 100, 150)
    assert made["gaps"] == [{"frame": 20, "frames": 5}]
    expected = [float(k) for k in range(100, 150)]
    expected[20:25] = [0.0] * 5
    assert made["samples"] == expected


def test_a_microphone_that_dies_leaves_a_gap_to_the_end(modules: Modules) -> None:
    made = modules.run("studio.js", ASSEMBLE, [block(100, 30)], 100, 150)
    assert made["gaps"] == [{"frame": 30, "frames": 20}]
    assert modules.run("studio.js", ASSEMBLE, [], 100, 150)["gaps"] == [{"frame": 0, "frames": 50}]


@pytest.mark.parametrize(("subtype", "least_db"), [("PCM_16", 90), ("FLOAT", 140)])
def test_the_capture_is_the_sound_with_voice_processing_off(
    modules_with_microphone: Callable[[Path], Modules], tmp_path: Path, subtype: str, least_db: float
) -> None:
    """In real Chromium: what the worklet gives is what the microphone's file holds, where nothing is resampled.

    16-bit files are off by up to half a step: Chromium divides positive samples by 32767 and negative ones by 32768.
    """
    wav = tmp_path / "voice.wav"
    soundfile.write(wav, np.zeros(1000), 44100)
    rate = modules_with_microphone(wav).run("studio.js", RATE_OF_MICROPHONE)
    soundfile.write(wav, np.random.default_rng(5).normal(0, 0.1, 9 * rate), rate, subtype=subtype)
    recorded = modules_with_microphone(wav).run("studio.js", RECORD, "along", rate)
    samples = unpacked(recorded["samples"])
    assert recorded["processing"] == []
    assert not {"deviceId", "groupId"} & set(recorded["settings"])
    assert recorded["gaps"] == []
    assert recorded["interrupted"] is None
    assert recorded["sampleRate"] == rate
    assert recorded["referenceStartFrame"] == round(0.5 * rate)
    assert len(samples) == pytest.approx(3.5 * rate, abs=2)
    assert snr_db(samples[rate : 2 * rate], soundfile.read(wav)[0]) >= least_db


# ---------------------------------------------------------------- outbox.js


KEEP = "await m.keep({id: a[0], user: '7', title: 'T', wav: new ArrayBuffer(8), sha256: '', task: 't', capture: {}})"


def test_a_kept_take_survives_the_page_and_goes_only_when_told(modules: Modules) -> None:
    modules.run("outbox.js", KEEP, "one")
    modules.run("outbox.js", KEEP, "two")
    modules.page.goto("about:blank")
    modules.page.goto(modules.home)
    ids = "return (await m.waiting()).map((item) => item.id)"
    assert modules.run("outbox.js", ids) == ["one", "two"]
    modules.run("outbox.js", "await m.forget('one')")
    assert modules.run("outbox.js", ids) == ["two"]
    modules.run("outbox.js", "await m.forget('two')")


# ---------------------------------------------------------------- api.js


@pytest.mark.parametrize(
    ("status", "body", "sentence", "passing"),
    [
        (409, '{"error": "The time is over.", "code": "lease_over"}', "The time is over.", False),
        (500, "<h1>boom</h1>", "The server had a problem. Try again in a minute.", True),
        (429, "{}", "The server asks for a short pause. Try again in a minute.", True),
        (401, "{}", "You are signed out. Sign in again to go on.", False),
    ],
)
def test_every_refusal_is_a_sentence(modules: Modules, status: int, body: str, sentence: str, passing: bool) -> None:
    kind = "text/html" if body.startswith("<") else "application/json"
    modules.page.route("**/api/x", lambda route: route.fulfill(status=status, body=body, content_type=kind))
    told = modules.run(
        "api.js", "try { await m.get('/api/x') } catch (e) { return [e.name, e.message, e.passing, e.signedOut] }"
    )
    modules.page.unroute("**/api/x")
    assert told == ["ApiError", sentence, passing, status == 401]


def test_a_lost_network_is_a_sentence(modules: Modules) -> None:
    modules.page.route("**/api/x", lambda route: route.abort())
    told = modules.run("api.js", "try { await m.post('/api/x') } catch (e) { return [e.message, e.status, e.passing] }")
    modules.page.unroute("**/api/x")
    assert told == ["We cannot reach the server. Check your connection; nothing you recorded is lost.", 0, True]


def test_an_answer_that_breaks_off_is_a_lost_network(modules: Modules) -> None:
    told = modules.run(
        "api.js",
        """
        const whole = window.fetch;
        const broken = () => new ReadableStream({
          start(stream) {
            stream.enqueue(new TextEncoder().encode('{"half":'));
            stream.error(new TypeError("Failed to fetch"));
          },
        });
        window.fetch = async () => new Response(broken(), { headers: { "content-type": "application/json" } });
        const told = [];
        for (const ask of [m.get, m.getBytes]) {
          await ask("/api/x").catch((error) => told.push([error.name, error.status, error.passing]));
        }
        window.fetch = whole;
        return told;
        """,
    )
    assert told == [["ApiError", 0, True], ["ApiError", 0, True]]
