"""What the player promises: both parts in step to the sample, round after round, and playing goes on through changes.

What is exact is rendered by an OfflineAudioContext; that the clock, the buttons and the browser get along is tried on
an AudioContext that runs, with a loop so short that a few rounds take no time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from annotation.tests.front_end import Modules, modules, static_home, unpacked

__all__ = ["modules", "static_home"]

pytestmark = pytest.mark.browser

# Where the fragment has something to be heard, seconds. The parts take turns, so one rendering tells them apart.
REFERENCE_AT = [0.4, 1.7]
VOICE_AT = [0.9, 1.3]
FROM_S, TO_S = 0.2, 2.2134567

PRELUDE = """
const bufferOf = (sampleRate, seconds, sampleAt) => {
  const buffer = new AudioBuffer({ length: Math.round(seconds * sampleRate), sampleRate });
  buffer.getChannelData(0).forEach((_, k, samples) => { samples[k] = sampleAt(k); });
  return buffer;
};
// Smooth clicks, whose middle is told to a thousandth of a sample, at any seconds of a buffer.
const clicks = (sampleRate, seconds, places) => bufferOf(sampleRate, seconds, (k) => (
  places.reduce((sum, place) => sum + Math.exp(-0.5 * ((k - place * sampleRate) / 8) ** 2), 0)));
const noise = (sampleRate, seconds) => bufferOf(sampleRate, seconds, () => Math.random() - 0.5);
const middle = (samples, about) => {
  let [sum, weight] = [0, 0];
  for (let k = Math.round(about) - 300; k <= about + 300; k += 1) { sum += k * samples[k]; weight += samples[k]; }
  return sum / weight;
};
const until = async (holds, most_ms = 8000) => {
  for (let waited = 0; waited < most_ms; waited += 5) {
    if (holds()) return true;
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
  return false;
};
"""


def play(modules: Modules, body: str, *values: Any) -> Any:
    return modules.run("player.js", PRELUDE + body, *values)


# ---------------------------------------------------------------- in step

LOOPED = """
const [sampleRate, { rate, offset_s, speed, seconds }, [from_s, to_s], [referenceAt, voiceAt]] = a;
const context = new OfflineAudioContext(2, seconds * sampleRate, sampleRate);
const duet = new m.Duet(context);
duet.load("reference", clicks(sampleRate, 3, referenceAt));
duet.load("voice", clicks(sampleRate, 4, voiceAt.map((u) => offset_s + u * rate)), offset_s, rate);
duet.speed = speed;
await duet.play("both", { from_s, to_s, loop: true });
const { first } = duet.playing.pass;
const [left, right] = await context.startRendering().then((sound) => [0, 1].map((k) => sound.getChannelData(k)));
const heard = left.map((sample, k) => sample + right[k]);
const [pace, length] = [sampleRate / speed, Math.round((to_s - from_s) * sampleRate / speed)];
const off = (u) => {
  const found = [];
  for (let due = first + (u - from_s) * pace; due + 400 < heard.length; due += length) {
    found.push(middle(heard, due) - due);
  }
  return found;
};
return { reference: referenceAt.map(off), voice: voiceAt.map(off) };
"""

CASES = [
    {"rate": 1, "offset_s": 0.25},
    {"rate": 1, "offset_s": 0.3000071},  # 0.31 or 0.34 of a frame off whole frames
    {"rate": 1.013, "offset_s": 0.31007},
    {"rate": 0.871, "offset_s": -0.0501},
    {"rate": 1.013, "offset_s": 0.31007, "speed": 0.75},
    {"rate": 1, "offset_s": 0.3000071, "speed": 0.5},
]


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
@pytest.mark.parametrize("case", CASES)
def test_a_minute_of_looping_leaves_both_in_step(modules: Modules, case: dict[str, float], sample_rate: int) -> None:
    case = {"speed": 1, "seconds": 60, **case}
    off = play(modules, LOOPED, sample_rate, case, [FROM_S, TO_S], [REFERENCE_AT, VOICE_AT])
    assert all(len(each) >= 60 * case["speed"] / 2.1 for each in off["reference"] + off["voice"])
    reference, voice = (np.concatenate(off[name]) for name in ("reference", "voice"))
    drift = max(np.ptp(each) for each in off["reference"] + off["voice"])
    print(f"\n{sample_rate} {case}: off by {reference.mean():+.4f} and {voice.mean():+.4f}, drift {drift:.6f} samples")
    assert np.abs(reference).max() < 0.1
    assert np.abs(voice).max() < 0.6
    assert np.abs(voice[:, None] - reference).max() < 1
    assert drift < 0.01


@pytest.mark.parametrize("rate", [1, 1.013])
def test_a_voice_that_begins_and_ends_within_the_loop_stays_in_step(modules: Modules, rate: float) -> None:
    """Here `source.loop` would loop the whole buffer, each part for itself."""
    body = """
    const sampleRate = 48000;
    const context = new OfflineAudioContext(1, 10 * sampleRate, sampleRate);
    const duet = new m.Duet(context);
    duet.load("reference", bufferOf(sampleRate, 3, () => 0));
    duet.load("voice", clicks(sampleRate, 0.5, [0.2]), -0.5, a[0]);
    await duet.play("both", { from_s: 0, to_s: 1.5, loop: true });
    const { first } = duet.playing.pass;
    const samples = (await context.startRendering()).getChannelData(0);
    return [0, 1, 2, 3, 4, 5].map((n) => {
      const due = first + (1.5 * n + 0.7 / a[0]) * sampleRate;
      return middle(samples, due) - due;
    });
    """
    off = play(modules, body, rate)
    assert np.abs(off).max() < 0.6
    assert np.ptp(off) < 0.01


SAMPLES = """
const [which, fade_s, rate] = a;
const sampleRate = 44100;
const context = new OfflineAudioContext(2, 4 * sampleRate, sampleRate);
const duet = new m.Duet(context, context.destination, { fade_s });
const [reference, voice] = [noise(sampleRate, 2), noise(sampleRate, 2)];
duet.load("reference", reference);
duet.load("voice", voice, 0.3000071, rate);
await duet.play(which, { from_s: 0.1, to_s: 0.9, loop: true });
const { first, length } = duet.playing.pass;
const heard = (await context.startRendering()).getChannelData(0);
return { first, length, heard: text(heard), sound: text(duet.parts[which].buffer.getChannelData(0)) };
"""


@pytest.mark.parametrize(("which", "rate"), [("reference", 1), ("voice", 1), ("voice", 1.013)])
@pytest.mark.parametrize("fade_s", [0, 0.003])
def test_every_round_is_the_very_samples(modules: Modules, which: str, rate: float, fade_s: float) -> None:
    """Alone a voice is heard at its own pace, so nothing is interpolated. Fades touch nothing but the edges."""
    made = play(modules, SAMPLES, which, fade_s, rate)
    heard, sound = unpacked(made["heard"]), unpacked(made["sound"])
    place = round(0.1 * 44100) if which == "reference" else round((0.3000071 + 0.1 * rate) * 44100)
    length, edge = made["length"], int(np.ceil(fade_s * 44100))
    assert length == round(0.8 * rate * 44100)
    assert not heard[: made["first"]].any()
    expected = sound[place : place + length]
    loud = heard[made["first"] + 500] / expected[500]
    for begin in range(made["first"], len(heard) - length, length):
        played = heard[begin : begin + length]
        inside = slice(edge, length - edge)
        np.testing.assert_allclose(played[inside], loud * expected[inside], atol=1e-6)
        assert np.abs(played).max() <= loud * np.abs(expected).max() + 1e-6


# ---------------------------------------------------------------- changes while it plays

# The rendering stops at each change's second, and goes on after it; `change` is a function of the duet.
CHANGED = """
const rendered = async (make, which, region, changes, seconds, fade_s) => {
  const sampleRate = 48000;
  const context = new OfflineAudioContext(2, seconds * sampleRate, sampleRate);
  const duet = new m.Duet(context, context.destination, { fade_s });
  make(duet, sampleRate);
  await duet.play(which, region);
  const passes = [duet.playing.pass];
  for (const [second, change] of changes) {
    context.suspend(second).then(() => {
      change(duet);
      if (duet.playing) passes.push(duet.playing.pass);
      context.resume();
    });
  }
  const sound = await context.startRendering();
  return { passes, sampleRate, sound: [sound.getChannelData(0), sound.getChannelData(1)] };
};
"""


@pytest.mark.parametrize("fade_s", [0, 0.003])
def test_nudging_the_voice_leaves_the_reference_as_if_nothing_had_been(modules: Modules, fade_s: float) -> None:
    body = """
    const reference = noise(48000, 2);
    const make = (duet, sampleRate) => {
      duet.load("reference", reference);
      duet.load("voice", bufferOf(sampleRate, 3, () => 0), 0.5, 1.013);
    };
    const region = { from_s: 0.1, to_s: 0.9123, loop: true };
    const nudge = (duet) => duet.move("voice", duet.parts.voice.offset_s + 0.005);
    const changes = [0.31, 0.33, 0.8, 1.0, 1.99].map((second) => [second, nudge]);
    const still = await rendered(make, "both", region, [], 4, a[0]);
    const nudged = await rendered(make, "both", region, changes, 4, a[0]);
    const most = (samples) => samples.reduce((high, sample) => Math.max(high, Math.abs(sample)), 0);
    const off = still.sound[0].map((sample, k) => sample - nudged.sound[0][k]);
    return { off: most(off), loud: most(still.sound[0]), passes: nudged.passes.length };
    """
    made = play(modules, CHANGED + body, fade_s)
    assert made["passes"] == 6
    assert made["loud"] > 0.3
    assert made["off"] < 1e-6


def test_a_nudge_takes_effect_within_the_round(modules: Modules) -> None:
    body = """
    const make = (duet, sampleRate) => {
      duet.load("reference", bufferOf(sampleRate, 3, () => 0));
      duet.load("voice", clicks(sampleRate, 3, [0.5, 1.0, 1.5]), 0);
    };
    const nudge = [0.7, (duet) => duet.move("voice", -0.005)];
    const { sound, passes } = await rendered(make, "both", { from_s: 0, to_s: 2, loop: true }, [nudge], 4);
    const { first } = passes[0];
    const due = [0.5, 1.005, 1.505, 2.505].map((second) => first + second * 48000);
    return due.map((frame) => middle(sound[0], frame) - frame);
    """
    assert play(modules, CHANGED + body) == pytest.approx([0, 0, 0, 0], abs=0.01)


def test_a_change_of_speed_goes_on_from_the_same_place(modules: Modules) -> None:
    """A click at second 1 of the fragment, slowed down at its second 0.5: due where both stretches say."""
    body = """
    const make = (duet, sampleRate) => {
      duet.load("reference", clicks(sampleRate, 3, [1]));
      duet.load("voice", clicks(sampleRate, 3, [0.2 + 1.2 * 1.013]), 0.2, 1.013);
    };
    const slow = [0.5, (duet) => { duet.speed = 0.75; }];
    const { sound, passes } = await rendered(make, "both", { from_s: 0, to_s: 1.4, loop: true }, [slow], 6);
    const [fast, slower] = passes;
    const heard = sound[0].map((sample, k) => sample + sound[1][k]);
    const due = (u, round) => slower.first + ((u - (slower.first - fast.first) / 48000 + round * 1.4) / 0.75) * 48000;
    const off = (u) => [0, 1, 2].map((round) => middle(heard, due(u, round)) - due(u, round));
    return { off: [...off(1), ...off(1.2)], begun: slower.first - 0.5 * 48000 };
    """
    made = play(modules, CHANGED + body)
    assert np.abs(made["off"]).max() < 1
    assert 0 < made["begun"] <= 0.02 * 48000 + 128


def test_seeking_goes_on_from_there_and_round_again(modules: Modules) -> None:
    body = """
    const make = (duet, sampleRate) => duet.load("reference", clicks(sampleRate, 3, [0.5]));
    const seek = [0.9, (duet) => duet.seek(0.25)];
    const region = { from_s: 0.1, to_s: 1.1, at_s: 0.4, loop: true };
    const { sound, passes } = await rendered(make, "reference", region, [seek], 4);
    const due = [passes[0].first + 4800, passes[1].first + 12000, passes[1].first + 60000];
    return due.map((frame) => middle(sound[0], frame) - frame);
    """
    assert play(modules, CHANGED + body) == pytest.approx([0, 0, 0], abs=0.01)


def test_a_region_played_once_ends_at_its_last_frame(modules: Modules) -> None:
    body = """
    const make = (duet, sampleRate) => duet.load("reference", bufferOf(sampleRate, 3, () => 0.5));
    const { sound, passes } = await rendered(make, "reference", { from_s: 0.5, to_s: 1.25 }, [], 2, 0);
    const loud = Array.from(sound[0].keys()).filter((k) => sound[0][k]);
    return [loud[0] - passes[0].first, loud.length, loud.at(-1) - loud[0] + 1];
    """
    assert play(modules, CHANGED + body) == [0, 36_000, 36_000]


# ---------------------------------------------------------------- on a clock that runs

RUNNING = """
const context = new AudioContext();
await context.resume();
const duet = new m.Duet(context);
const { sampleRate } = context;
duet.load("reference", clicks(sampleRate, 3, [0.5]));
duet.load("voice", clicks(sampleRate, 3, [0.7]), 0.2, 1.013);
let ends = 0;
const ended = () => { ends += 1; };
const done = async (told) => { duet.stop(); await context.close(); return told; };
"""


def test_the_place_runs_round_with_the_loop(modules: Modules) -> None:
    body = """
    await duet.play("both", { from_s: 1, to_s: 1.3, loop: true, ended });
    const seen = [];
    const wraps = () => seen.filter((s, k) => k && s < seen[k - 1] - 0.1).length;
    const wrapped = await until(() => { seen.push(duet.now_s); return wraps() >= 4; });
    duet.stop();
    return done({ wrapped, ends, now_s: duet.now_s, first: seen[0], low: Math.min(...seen), high: Math.max(...seen) });
    """
    told = play(modules, RUNNING + body)
    assert told["wrapped"]
    assert told["ends"] == 1
    assert told["now_s"] is None
    # Before the first sound has come out of the loudspeaker the place is still ahead of the region.
    assert 0.5 < told["first"] < 1.05
    assert told["low"] > 0.5
    assert 1.2 < told["high"] < 1.3


def test_the_place_is_what_has_come_out_of_the_loudspeaker(modules: Modules) -> None:
    body = """
    await duet.play("both", { from_s: 0, to_s: 20, loop: true });
    await until(() => duet.now_s > 0.1);
    const scheduled = duet.now_s + context.outputLatency;
    Object.defineProperty(context, "outputLatency", { value: 2 });
    return done(scheduled - duet.now_s);
    """
    assert play(modules, RUNNING + body) == pytest.approx(2, abs=0.5)


def test_changes_while_it_plays_keep_it_playing(modules: Modules) -> None:
    """Place after place, with bounds as wide as a busy machine asks for: what is exact is rendered above."""
    body = """
    await duet.play("both", { from_s: 0, to_s: 20, loop: true, ended });
    const arrives = (low, high) => until(() => duet.now_s > low && duet.now_s < high);
    const told = { begins: await arrives(0.02, 1.4) };
    duet.seek(5);
    told.still = duet.now_s;
    told.seeks = await arrives(5, 15);
    duet.speed = 0.5;
    const [from_s, began] = [duet.now_s, context.currentTime];
    await until(() => context.currentTime - began > 0.5);
    told.pace = (duet.now_s - from_s) / (context.currentTime - began);
    const before = duet.now_s;
    for (let k = 1; k <= 10; k += 1) {
      duet.move("voice", 0.2 + 0.005 * k);
      await until(() => false, 5);
    }
    told.moved = duet.now_s - before;
    duet.speed = 1;
    told.which = duet.playing?.which;
    told.ends = ends;
    const { sources } = duet.playing.pass;
    duet.stop();
    told.silent = await until(() => sources.size === 0);
    told.endsAtLast = ends;
    return done(told);
    """
    told = play(modules, RUNNING + body)
    assert told["begins"]
    assert told["still"] < 3, "what was there before is heard until the change comes out of the loudspeaker"
    assert told["seeks"]
    # The first moments still go at the old speed.
    assert 0.35 < told["pace"] < 0.75
    assert -0.05 < told["moved"] < 2
    assert (told["which"], told["ends"]) == ("both", 0)
    assert told["silent"]
    assert told["endsAtLast"] == 1


def test_a_loop_is_scheduled_well_ahead_for_as_long_as_it_plays(modules: Modules) -> None:
    body = """
    await duet.play("both", { from_s: 1, to_s: 1.3, loop: true });
    const { pass } = duet.playing;
    const ahead = () => (pass.zero + pass.next * pass.length) / sampleRate - context.currentTime;
    const rounds = pass.next;
    const grows = await until(() => pass.next > rounds + 2);
    return done({ grows, ahead: ahead() });
    """
    told = play(modules, RUNNING + body)
    assert told["grows"]
    assert 2 < told["ahead"] < 3.5


def test_rounds_that_are_overdue_are_entered_where_they_are_by_now(modules: Modules) -> None:
    body = """
    const [part, pass] = [{ frames: 96000, sampleRate: 48000, offset_s: 0.1, rate: 1 }, { from_s: 0, pace: 48000 }];
    return [0, 25000, 49000].map((soonest) => m.entry(part, pass, { begin: 1000, end: 49000 }, soonest));
    """
    entered = play(modules, body)
    assert entered == [
        {"when": 1000, "frame": 4800, "end": 49_000},
        {"when": 25_000, "frame": 28_800, "end": 49_000},
        None,
    ]


def test_going_back_in_what_plays_once_does_not_end_it(modules: Modules) -> None:
    body = """
    await duet.play("reference", { from_s: 2.9, ended });
    duet.seek(2.2);
    const goesOn = await until(() => ends || (duet.now_s > 2.35 && duet.now_s < 2.7));
    const early = ends;
    const over = await until(() => ends > 0);
    return done({ goesOn, early, over });
    """
    assert play(modules, RUNNING + body) == {"goesOn": True, "early": 0, "over": True}


@pytest.mark.parametrize("change", ["", "duet.seek(2.8);", "duet.speed = 0.75;", "duet.seek(7);"])
def test_what_ends_by_itself_says_so_once(modules: Modules, change: str) -> None:
    body = f"""
    await duet.play("reference", {{ from_s: 2.7, ended }});
    {change}
    const over = await until(() => ends > 0);
    duet.stop();
    await until(() => false, 50);
    return done({{ over, ends, playing: duet.playing }});
    """
    assert play(modules, RUNNING + body) == {"over": True, "ends": 1, "playing": None}


def test_another_play_ends_the_one_before(modules: Modules) -> None:
    body = """
    await context.suspend();
    const over = [];
    const plays = ["reference", "voice", "both"].map((which) => duet.play(which, { ended: () => over.push(which) }));
    const told = { began: await Promise.all(plays), over: [...over], which: duet.playing.which };
    return done({ ...told, runs: await until(() => duet.now_s > 0) });
    """
    told = play(modules, RUNNING + body)
    assert told == {"began": [False, False, True], "over": ["reference", "voice"], "which": "both", "runs": True}


def test_stopped_before_the_browser_lets_it_sound_it_never_does(modules: Modules) -> None:
    body = """
    await context.suspend();
    const waiting = duet.play("both", { from_s: 0.3, loop: true, ended });
    const now_s = duet.now_s;
    duet.stop();
    return done({ now_s, began: await waiting, ends, playing: duet.playing });
    """
    assert play(modules, RUNNING + body) == {"now_s": 0.3, "began": False, "ends": 1, "playing": None}


def test_playing_on_a_clock_that_runs_is_scheduled_at_once(modules: Modules) -> None:
    body = """
    const soon = [];
    for (let k = 0; k < 5; k += 1) {
      const before = context.currentTime;
      duet.play("both", { from_s: 0, loop: true });
      soon.push(duet.playing.pass.first / sampleRate - before);
      duet.stop();
    }
    return done(Math.min(...soon));
    """
    # One block of the sound card may pass meanwhile.
    assert 0 < play(modules, RUNNING + body) <= 0.02 + 0.012


def test_what_could_not_be_scheduled_in_time_is_scheduled_again(modules: Modules) -> None:
    """A machine that hangs for a tenth of a second just then: both parts begin in step, a little later."""
    body = """
    const fill = duet.fill.bind(duet);
    let tries = 0;
    duet.fill = (pass) => {
      const began = context.currentTime;
      fill(pass);
      if (!tries) while (context.currentTime < began + 0.1);
      tries += 1;
    };
    duet.play("both", { from_s: 0, loop: true });
    const ahead = duet.playing.pass.first - context.currentTime * sampleRate;
    return done({ tries, ahead });
    """
    told = play(modules, RUNNING + body)
    assert told["tries"] >= 2
    assert told["ahead"] > 0


def test_loading_twenty_seconds_takes_no_time(modules: Modules) -> None:
    body = """
    const buffer = noise(sampleRate, 20);
    const took = [0, 1, 2, 3, 4].map(() => {
      const began = performance.now();
      duet.load("voice", buffer);
      return performance.now() - began;
    });
    return done(took);
    """
    took = play(modules, RUNNING + body)
    print(f"\nload(): {took} ms")
    assert min(took) < 15
