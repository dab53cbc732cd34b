"""What the sound check promises: the loudspeaker's leak and delay, headphones, bandwidth, and a clock that holds.

Rooms, noises and voices are synthetic (sound_scenes.py) unless a test says otherwise; real Chromium measures them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from annotation.tests import sound_scenes as scenes
from annotation.tests.front_end import Modules, modules, modules_with_microphone, packed, static_home, unpacked
from annotation.tests.studio_scripts import CLICKS, LOOP, MEASURE, PROBE
from annotation.tests.test_front_end import shared

__all__ = ["modules", "modules_with_microphone", "static_home"]

pytestmark = pytest.mark.browser

RATE = 48_000
HEADPHONES_BELOW_DB = -40
LEVEL_TOLERANCE_DB = 1.5


def probe_of(modules: Modules, rate: int) -> NDArray[np.float64]:
    return unpacked(modules.run("sound-check.js", PROBE, rate)["samples"])


def measured(
    modules: Modules, heard: NDArray[np.float64], rate: int = RATE, to_s: float = 0.5, processed: bool = False
) -> dict[str, Any]:
    return modules.run("sound-check.js", MEASURE, packed(heard), rate, {"to_s": to_s}, processed)


def loop(probe: NDArray[np.float64], rate: int, latency_s: float, leak_db: float) -> NDArray[np.float64]:
    """What a microphone hears of the probe over a phone's loudspeaker, for 0.9 s longer than it lasts."""
    heard = scenes.delayed(probe, latency_s * rate, len(probe) + int(0.9 * rate))
    return 10 ** (leak_db / 20) * scenes.through_loudspeaker(heard, rate)


def with_noise(heard: NDArray[np.float64], kind: scenes.Noise, level_db: float, seed: int, rate: int = RATE) -> Any:
    made = scenes.noise(np.random.default_rng(seed), kind, len(heard), rate)
    return heard + 10 ** (level_db / 20) * made


# ---------------------------------------------------------------- the probe


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_the_probe_is_short_quiet_and_irregular(modules: Modules, rate: int) -> None:
    made = modules.run("sound-check.js", PROBE, rate)
    samples, starts = unpacked(made["samples"]), made["starts"]
    level_db = modules.run("sound-check.js", "return m.PROBE_LEVEL_DB")
    assert len(samples) <= 1.2 * rate
    assert 20 * np.log10(np.abs(samples).max()) == pytest.approx(level_db, abs=0.1)
    assert level_db <= -20
    apart = sorted(later - earlier for earlier, later in combinations(starts, 2))
    assert min(np.diff(apart)) > 0.02 * rate
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / rate)
    assert power[(hz > 400) & (hz < 7200)].sum() > 0.99 * power.sum()


# ---------------------------------------------------------------- latency


@pytest.mark.parametrize("noise", ["white", "room", "voice"])
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("latency_s", [0, 0.0037, 0.041, 0.120, 0.250, 0.3995])
def test_the_delay_is_found_to_a_millisecond_at_10_db(
    modules: Modules, latency_s: float, rate: int, noise: scenes.Noise
) -> None:
    """Over a phone's loudspeaker, in a room, upside down."""
    rng = np.random.default_rng(int(1000 * latency_s) + rate)
    probe = probe_of(modules, rate)
    room = scenes.room_impulse(rng, rate, decay_s=0.4, strongest=1.3)
    heard = -scenes.in_room(loop(probe, rate, latency_s, -25), room)[: len(probe) + int(0.9 * rate)]
    begin = int(latency_s * rate)
    noisy = scenes.at_snr(rng, heard, heard[begin : begin + len(probe)], noise, 10, rate)
    found = measured(modules, noisy, rate)
    assert found["found"]
    assert abs(found["latency_s"] - latency_s) < 0.001
    assert found["confidence"] > 0.9
    assert found["kind"] == "loudspeaker"


@pytest.mark.parametrize("snr_db", [0, -10])
def test_the_delay_is_found_where_noise_is_louder_than_the_probe(modules: Modules, snr_db: float) -> None:
    probe = probe_of(modules, RATE)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        latency_s = rng.uniform(0, 0.4)
        heard = loop(probe, RATE, latency_s, -30)
        begin = int(latency_s * RATE)
        noisy = scenes.at_snr(rng, heard, heard[begin : begin + len(probe)], "room", snr_db, RATE)
        assert abs(measured(modules, noisy)["latency_s"] - latency_s) < 0.001


def test_the_first_arrival_counts_though_an_echo_is_stronger(modules: Modules) -> None:
    heard = loop(probe_of(modules, RATE), RATE, 0.1, -20)
    echo = -1.8 * np.roll(heard, int(0.007 * RATE))
    found = measured(modules, with_noise(heard + echo, "white", -70, 1))
    assert found["latency_s"] == pytest.approx(0.1, abs=0.001)


def test_a_loudspeaker_that_wakes_late_is_measured_by_the_rest(modules: Modules) -> None:
    """Bluetooth loudspeakers swallow the first moment of a sound."""
    probe = probe_of(modules, RATE)
    probe[: int(0.16 * RATE)] = 0
    found = measured(modules, with_noise(loop(probe, RATE, 0.21, -20), "room", -60, 3))
    assert found["latency_s"] == pytest.approx(0.21, abs=0.001)


@pytest.mark.parametrize("parts_per_million", [-60, 60])
def test_two_sound_cards_whose_clocks_differ_are_measured(modules: Modules, parts_per_million: float) -> None:
    heard = with_noise(loop(probe_of(modules, RATE), RATE, 0.1, -20), "room", -60, 4)
    k = np.arange(len(heard))
    found = measured(modules, np.interp(k * (1 + parts_per_million * 1e-6), k, heard))
    assert found["latency_s"] == pytest.approx(0.1, abs=0.001)


def test_the_search_may_begin_later(modules: Modules) -> None:
    heard = with_noise(loop(probe_of(modules, RATE), RATE, 0.25, -20), "room", -60, 4)
    body = "return (await m.measureLoopback(floats(a[0]), m.makeProbe(a[1]), a[1], a[2])).latency_s"
    for span in ({"from_s": 0.2, "to_s": 0.3}, {"from_s": 0.25, "to_s": 0.3}, {"from_s": 0.01, "to_s": 0.25}):
        found = modules.run("sound-check.js", body, packed(heard), RATE, span)
        assert found == pytest.approx(0.25, abs=0.001)


# ---------------------------------------------------------------- no leak


@pytest.mark.parametrize("kind", ["white", "room", "voice"])
def test_noise_and_voices_are_not_taken_for_the_probe(modules: Modules, kind: scenes.Noise) -> None:
    silence = np.zeros(int(1.9 * RATE))
    for seed in range(40):
        level_db = np.random.default_rng(seed).uniform(-60, -15)
        found = measured(modules, with_noise(silence, kind, level_db, seed), to_s=0.8)
        assert not found["found"]
        assert (found["latency_s"], found["leak_db"], found["confidence"]) == (None, None, 0)
        assert found["kind"] in ("headphones", "unsure")


def test_knocks_are_not_taken_for_the_probe(modules: Modules) -> None:
    for seed in range(40):
        heard = scenes.knocks(np.random.default_rng(seed), int(1.9 * RATE), RATE)
        assert not measured(modules, heard, to_s=0.8)["found"]


def test_real_hums_are_not_taken_for_the_probe(modules: Modules) -> None:
    length = int(1.9 * 44_100)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        heard = real_voice(rng, length) * 10 ** (rng.uniform(-40, -6) / 20) + rng.normal(0, 1e-4, length)
        assert not measured(modules, heard, 44_100, to_s=0.8)["found"]


def real_voice(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    """A piece of a real song without words or with them, 44.1 kHz, its peak at 1."""
    name = ["vocadito_10.wav", "vocadito_14.wav", "Audio/vocadito_1.wav"][rng.integers(3)]
    samples, _ = soundfile.read(shared("hums", "vocadito", name))
    begin = rng.integers(0, len(samples) - length)
    piece = samples[begin : begin + length]
    return piece / (np.abs(piece).max() + 1e-9)


def test_a_probe_later_than_looked_for_is_not_found_elsewhere(modules: Modules) -> None:
    probe = probe_of(modules, RATE)
    heard = np.concatenate([np.zeros(int(0.7 * RATE)), loop(probe, RATE, 0, -20)])[: int(1.9 * RATE)]
    assert not measured(modules, with_noise(heard, "room", -60, 1), to_s=0.5)["found"]


# ---------------------------------------------------------------- how loud the leak is


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("leak_db", [-10, -20, -30, -40, -50, -60])
def test_the_leak_is_measured_to_a_decibel_and_a_half(modules: Modules, leak_db: float, rate: int) -> None:
    probe = probe_of(modules, rate)
    heard = scenes.delayed(probe, 0.083 * rate, len(probe) + int(0.9 * rate)) * 10 ** (leak_db / 20)
    found = measured(modules, with_noise(heard, "room", -72, 5, rate), rate)
    assert found["leak_db"] == pytest.approx(leak_db, abs=LEVEL_TOLERANCE_DB)
    assert found["floor_db"] < leak_db


@pytest.mark.parametrize(
    ("leak_db", "noise_db", "kind"),
    [
        pytest.param(-25, -60, "loudspeaker", id="a loudspeaker in a quiet room"),
        pytest.param(-35, -40, "loudspeaker", id="a loudspeaker in a loud room"),
        pytest.param(-55, -65, "headphones", id="headphones that leak a little"),
        pytest.param(-120, -65, "headphones", id="headphones that do not"),
        pytest.param(-120, -15, "unsure", id="so loud that nothing can be told"),
        pytest.param(-35, -5, "unsure", id="a loudspeaker that drowns"),
    ],
)
def test_headphones_are_told_from_loudspeakers(modules: Modules, leak_db: float, noise_db: float, kind: str) -> None:
    heard = loop(probe_of(modules, RATE), RATE, 0.1, leak_db)
    assert measured(modules, with_noise(heard, "room", noise_db, 6), to_s=0.8)["kind"] == kind


def test_what_the_browser_may_have_taken_out_is_not_called_headphones(modules: Modules) -> None:
    silence = with_noise(np.zeros(int(1.9 * RATE)), "room", -65, 7)
    assert measured(modules, silence, processed=True)["kind"] == "unsure"


def test_a_muted_microphone_is_not_called_headphones(modules: Modules) -> None:
    muted = measured(modules, np.zeros(int(1.9 * RATE)))
    assert (muted["kind"], muted["reason"], muted["floor_db"]) == ("unsure", "muted", None)
    waking = with_noise(np.zeros(int(1.9 * RATE)), "room", -65, 7)
    waking[: RATE // 2] = 0
    assert measured(modules, waking)["reason"] == "muted"


@pytest.mark.parametrize("disturbance", ["hum", "song", "knocks", "burst"])
def test_who_is_not_silent_gets_the_truth_or_unsure(modules: Modules, disturbance: str) -> None:
    """Never the wrong answer, but within the tolerance about the limit, and never a wrong delay."""
    rate = 44_100
    probe = probe_of(modules, rate)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        leak_db, latency_s = rng.uniform(-60, -5), rng.uniform(0, 0.4)
        heard = loop(probe, rate, latency_s, leak_db) + rng.normal(0, 3e-4, len(probe) + int(0.9 * rate))
        found = measured(modules, heard + disturbed(rng, disturbance, len(heard), rate), rate, to_s=0.8)
        truth = "loudspeaker" if leak_db >= HEADPHONES_BELOW_DB else "headphones"
        if abs(leak_db - HEADPHONES_BELOW_DB) > LEVEL_TOLERANCE_DB:
            assert found["kind"] in (truth, "unsure"), (seed, leak_db, found)
        if found["kind"] == "loudspeaker":
            assert abs(found["latency_s"] - latency_s) < 0.001


def disturbed(rng: np.random.Generator, kind: str, length: int, rate: int) -> NDArray[np.float64]:
    if kind == "song":
        return 10 ** (rng.uniform(-40, -10) / 20) * real_voice(rng, length)
    return scenes.disturbance(rng, kind, length, rate)


# ---------------------------------------------------------------- bandwidth


BANDWIDTH = "return await m.bandwidthOf(floats(a[0]), a[1])"


def bandwidth(modules: Modules, samples: NDArray[np.float64], rate: int = RATE) -> float | None:
    return modules.run("sound-check.js", BANDWIDTH, packed(samples), rate)


def through_headset(samples: NDArray[np.float64], headset_hz: int) -> NDArray[np.float64]:
    """As a headset at this rate gives it to a system at RATE, in 16 bits."""
    narrow = soxr.resample(soxr.resample(samples, RATE, headset_hz), headset_hz, RATE)
    return np.round(narrow * 32768) / 32768


def hum_in_room(seed: int, noise_db: float = -70) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    voice = 0.05 * scenes.noise(rng, "voice", 2 * RATE, RATE)
    return voice + 10 ** (noise_db / 20) * scenes.noise(rng, "room", 2 * RATE, RATE)


@pytest.mark.parametrize("headset_hz", [8_000, 16_000])
def test_a_headsets_call_mode_is_heard(modules: Modules, headset_hz: int) -> None:
    for seed in range(5):
        found = bandwidth(modules, through_headset(hum_in_room(seed), headset_hz))
        assert found == pytest.approx(headset_hz / 2, rel=0.05)
        assert modules.run("sound-check.js", "return m.isNarrow(a[0], {})", found)


@pytest.mark.parametrize("noise_db", [-60, -75, -90])
def test_a_wide_microphone_is_not_called_narrow_however_quiet(modules: Modules, noise_db: float) -> None:
    """A room's noise at -90 dB lies below the rounding of 16 bits."""
    for seed in range(5):
        for samples in (hum_in_room(seed, noise_db), np.round(hum_in_room(seed, noise_db) * 32768) / 32768):
            assert bandwidth(modules, samples) > 8500


def test_real_voices_are_as_wide_as_their_files(modules: Modules) -> None:
    samples, rate = soundfile.read(shared("hums", "vocadito", "Audio", "vocadito_1.wav"), stop=4 * 44_100)
    assert bandwidth(modules, samples, rate) > 15_000
    narrow = through_headset(soxr.resample(samples, rate, RATE), 16_000)
    assert bandwidth(modules, narrow) == pytest.approx(8000, rel=0.05)


def test_clicks_where_pieces_were_joined_do_not_widen_a_sound(modules: Modules) -> None:
    narrow = through_headset(hum_in_room(1), 16_000)
    narrow[RATE // 2 :] += 0.05
    narrow[RATE:] -= 0.08
    assert bandwidth(modules, narrow) == pytest.approx(8000, rel=0.05)


def test_of_silence_and_of_a_moment_no_bandwidth_is_known(modules: Modules) -> None:
    assert bandwidth(modules, np.zeros(RATE)) is None
    assert bandwidth(modules, np.ones(1000)) is None
    assert not modules.run("sound-check.js", "return m.isNarrow(null, {})")
    assert not modules.run("sound-check.js", "return m.isNarrow(null, {sampleRate: 48000})")
    assert modules.run("sound-check.js", "return m.isNarrow(null, {sampleRate: 16000})")


LISTEN = """
const check = await import("/static/js/sound-check.js");
const studio = await m.Studio.open();
await studio.listen(0.5);
const samples = await studio.listen(2);
const { sampleRate } = studio.context;
await studio.close();
return {bandwidth_hz: await check.bandwidthOf(samples, sampleRate), seconds: samples.length / sampleRate};
"""


@pytest.mark.parametrize("headset_hz", [8_000, 16_000])
def test_chromiums_own_resampling_does_not_hide_a_narrow_microphone(
    modules_with_microphone: Callable[[Path], Modules], tmp_path: Path, headset_hz: int
) -> None:
    wav = tmp_path / "headset.wav"
    rng = np.random.default_rng(1)
    voice = 0.1 * scenes.noise(rng, "voice", 6 * headset_hz, headset_hz) + rng.normal(0, 1e-3, 6 * headset_hz)
    soundfile.write(wav, voice, headset_hz)
    found = modules_with_microphone(wav).run("studio.js", LISTEN)
    assert found["seconds"] == pytest.approx(2)
    assert found["bandwidth_hz"] == pytest.approx(headset_hz / 2, rel=0.05)


# ---------------------------------------------------------------- the studio on one clock


def test_a_click_track_recorded_along_lies_on_the_very_frame(modules: Modules) -> None:
    """The studio's own output, so many frames later, and back: no frame more or less, and the probe says the same."""
    loops = [(0, "node", 44_100), (163, "node", 44_100), (1764, "node", 48_000), (9600, "node", 48_000)]
    for made in modules.run("studio.js", LOOP + CLICKS, loops):
        assert made["heard"] == [made["frames"]] * 4
        assert made["measured"] == pytest.approx(made["frames"], abs=0.5)
        assert made["leak_db"] == pytest.approx(-20, abs=LEVEL_TOLERANCE_DB)
        assert made["kind"] == "loudspeaker"
        assert made["gaps"] == []


def test_over_a_media_stream_the_measured_delay_aligns_the_clicks_to_a_frame(modules: Modules) -> None:
    """Chromium adds its own buffers, another number of frames for every stream: here the probe has to find it."""
    for made in modules.run("studio.js", LOOP + CLICKS, [(0, "stream", 44_100), (4410, "stream", 44_100)]):
        assert made["measured"] > made["frames"]
        assert np.abs(np.array(made["heard"]) - made["measured"]).max() <= 1
        assert made["gaps"] == []


PROBE_LOST = """
const cutOff = async ([event, kind]) => {
  const studio = await looped(0, kind, 44100);
  const probing = studio.probe({signal: event === "cancel" ? AbortSignal.timeout(500) : undefined});
  if (event === "track") setTimeout(() => studio.track.dispatchEvent(new Event("ended")), 500);
  if (event === "context") setTimeout(() => studio.context.suspend(), 500);
  if (event === "silent") studio.nodes[0].disconnect();
  const result = await probing;
  await studio.close();
  return {...result, samples: result.samples.length, kind: check.kindOf(result)};
};
return await Promise.all(a[0].map(cutOff));
"""


def test_a_probe_that_is_cut_off_says_why(modules: Modules) -> None:
    events = [("cancel", "node"), ("track", "stream"), ("context", "node"), ("silent", "node")]
    results = modules.run("studio.js", LOOP + PROBE_LOST, events)
    assert [result["reason"] for result in results] == ["cancelled", "ended", "interrupted", "late"]
    for result in results:
        assert (result["found"], result["kind"]) == (False, "unsure")
        assert result["samples"] > 44_100


def test_a_probe_that_tells_nothing_is_played_once_more(modules: Modules) -> None:
    """A stream that has only just begun, or a cough."""
    body = """
    const studio = await looped(441, "node", 44100);
    const [source, node] = studio.nodes;
    source.disconnect();
    setTimeout(() => source.connect(node), 1500);
    const { found, latency_s } = await studio.probe();
    await studio.close();
    return {found, latency_s};
    """
    assert modules.run("studio.js", LOOP + body) == {"found": True, "latency_s": pytest.approx(0.01, abs=1e-5)}


INTERRUPTED = """
const interrupted = async ([event, kind, after_ms]) => {
  const studio = await looped(0, kind, 44100);
  const reference = (seconds) => new AudioBuffer({length: seconds * 44100, sampleRate: 44100});
  const take = await studio.record({reference: reference(4), mode: "along", heard: true});
  await pause(after_ms);
  if (event === "suspend") await studio.context.suspend();
  if (event === "close") await studio.context.close();
  if (event === "mute") studio.track.dispatchEvent(new Event("mute"));
  const first = await take.done;
  const renewed = [];
  studio.whenRenewed((context) => renewed.push(context === studio.context));
  const again = await (await studio.record({reference: reference(0.5), mode: "along"})).done;
  const { state } = studio.context;
  await studio.close();
  const told = (made) => made && {gaps: made.gaps, interrupted: made.interrupted, seconds: made.samples.length / 44100};
  return {first: told(first), again: told(again), renewed, state};
};
return await Promise.all(a[0].map(interrupted));
"""


def test_a_take_ends_where_the_sound_stopped_and_the_next_one_is_whole(modules: Modules) -> None:
    """A telephone call: the clock stands still, so that what came after would be out of step."""
    events = [("suspend", "node", 3500), ("close", "node", 3500), ("mute", "stream", 3500), ("suspend", "node", 1000)]
    *cut, early = modules.run("studio.js", LOOP + INTERRUPTED, events)
    assert [made["first"]["interrupted"] for made in cut] == ["interrupted", "interrupted", "muted"]
    assert [made["renewed"] for made in cut] == [[], [True], []]
    for made in cut:
        assert 1 < made["first"]["seconds"] < 2.5
        assert made["first"]["gaps"] == []
        assert made["state"] == "running"
        assert made["again"] == {"gaps": [], "interrupted": None, "seconds": pytest.approx(2, abs=0.001)}
    assert early["first"] is None, "interrupted before the first note was due"


def test_a_microphone_that_ended_is_said_to_be_gone(modules: Modules) -> None:
    body = """
    const studio = await looped(0, "stream", 44100);
    studio.track.stop();
    const { found, reason } = await studio.probe();
    if (found || reason !== "ended") return [found, reason];
    try { await studio.record({reference: new AudioBuffer({length: 44100, sampleRate: 44100}), mode: "along"}); }
    catch (error) { await studio.close(); return [error.name, error.code]; }
    """
    assert modules.run("studio.js", LOOP + body) == ["NoMicrophone", "gone"]


def test_a_failed_start_leaves_no_microphone_open(modules: Modules) -> None:
    body = """
    let stream;
    const microphone = (context) => {
      stream = new MediaStreamAudioDestinationNode(context).stream;
      context.audioWorklet.addModule = () => { throw new DOMException("no", "AbortError"); };
      return stream;
    };
    try { await m.Studio.open({microphone}); }
    catch (error) { return [error.name, stream.getAudioTracks()[0].readyState]; }
    """
    assert modules.run("studio.js", body) == ["AbortError", "ended"]


def test_a_clock_that_stood_still_is_noticed_and_a_busy_page_is_not(modules: Modules) -> None:
    body = """
    const stood = (times) => {
      const watch = new m.ClockWatch();
      return times.some(([audio_s, real_s]) => watch.stood(audio_s, real_s));
    };
    const steps = Array.from({length: 200}, (_, k) => k * 0.02);
    return [
      stood(steps.map((t) => [t, 1000 + t * 1.0001])),
      stood(steps.map((t) => [Math.floor(t / 0.1) * 0.1, t])),
      stood(steps.map((t) => [t < 2 ? t : t - 0.4, t])),
    ];
    """
    assert modules.run("studio.js", body) == [False, False, True]


def test_the_key_of_a_device_stays_here_and_its_facts_have_no_names(
    modules_with_microphone: Callable[[Path], Modules], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "voice.wav", np.zeros(44_100), 44_100)
    body = """
    const studio = await m.Studio.open();
    await studio.close();
    const { deviceId } = studio.track.getSettings();
    return {key: studio.deviceKey(), deviceId, facts: studio.facts(), settings: studio.settings};
    """
    made = modules_with_microphone(tmp_path / "voice.wav").run("studio.js", body)
    assert made["key"].endswith(made["deviceId"])
    assert set(made["facts"]) == {"sample_rate", "base_latency_s", "output_latency_s", "input_latency_s"}
    assert not {"deviceId", "groupId"} & set(made["settings"])


# ---------------------------------------------------------------- words.js


def test_sentences_are_english_without_a_catalogue_and_the_readers_with_one(modules: Modules) -> None:
    body = """
    const say = () => [
      m.gettext("Hum"), m.ngettext("one hum", "%(count)s hums", 1), m.ngettext("one hum", "%(count)s hums", 2),
      m.interpolate(m.gettext("%(a)s of %(b)s, 5%%"), {a: 1, b: "two"}), m.decimal(1234.56),
    ];
    const plain = say();
    window.gettext = (message) => ({Hum: "Summen", "%(a)s of %(b)s, 5%%": "%(b)s: %(a)s"})[message] ?? message;
    window.ngettext = (one, many, number) => (number === 1 ? "ein Summen" : "viele");
    document.documentElement.lang = "de";
    const other = say();
    delete window.gettext;
    delete window.ngettext;
    document.documentElement.lang = "";
    return [plain, other];
    """
    plain, other = modules.run("words.js", body)
    assert plain == ["Hum", "one hum", "%(count)s hums", "1 of two, 5%", "1,234.6"]
    assert other == ["Summen", "ein Summen", "viele", "two: 1", "1.234,6"]


def test_a_place_without_a_value_is_a_slip_of_ours(modules: Modules) -> None:
    body = "try { m.interpolate('%(a)s', {}) } catch (error) { return error.message }"
    assert "%(a)s" in modules.run("words.js", body)
