"""What the player promises: both parts in step to the sample, round after round, and playing goes on through changes.

What is exact is rendered by an OfflineAudioContext; that the clock, the buttons and the browser get along is tried on
an AudioContext that runs, with a loop so short that a few rounds take no time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

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
  for (let due = first + (u - from_s) * pace; due + 400 < heard.length; due += length) found.push(middle(heard, due) - due);
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
    """The peer, `source.loop` with loopStart and loopEnd, in Chromium 156: see `NAIVE` below."""
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
