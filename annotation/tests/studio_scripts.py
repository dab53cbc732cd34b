"""What tests and the benchmark `capture` run in the browser: the probe, a take, a loop from the studio to itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

# --- sound-check.js

PROBE = "const probe = m.makeProbe(a[0]); return {samples: text(probe.samples), starts: probe.starts}"
MEASURE = """
const result = await m.measureLoopback(floats(a[0]), m.makeProbe(a[1]), a[1], a[2]);
return {...result, kind: m.kindOf({...result, processed: a[3]})};
"""

# --- studio.js

RECORD = """
const studio = await m.Studio.open({sampleRate: a[1]});
const { sampleRate } = studio.context;
const reference = new AudioBuffer({length: 2 * sampleRate, sampleRate});
const take = await studio.record({reference, mode: a[0], heard: true});
const recorded = await take.done;
await studio.close();
return {...recorded, samples: text(recorded.samples), settings: studio.settings, processing: studio.processing};
"""
RATE_OF_MICROPHONE = """
const studio = await m.Studio.open();
await studio.close();
return studio.settings.sampleRate ?? studio.context.sampleRate;
"""
LOOP = """
const check = await import("/static/js/sound-check.js");
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
// The microphone hears the studio's own output, so many frames later and 20 dB weaker, over a little hiss.
const wire = (context, output, frames) => {
  const delay = new DelayNode(context, {maxDelayTime: 1, delayTime: frames / context.sampleRate});
  output.connect(new GainNode(context, {gain: 0.1})).connect(delay);
  const hiss = new AudioBuffer({length: context.sampleRate, sampleRate: context.sampleRate});
  hiss.getChannelData(0).forEach((_, k, samples) => { samples[k] = 2e-4 * (Math.random() - 0.5); });
  const source = new AudioBufferSourceNode(context, {buffer: hiss, loop: true});
  const sum = new GainNode(context);
  source.connect(sum);
  delay.connect(sum);
  source.start();
  return sum;
};
// kind: "node" or "stream", for how the microphone is joined on.
const looped = (frames, kind, sampleRate) => m.Studio.open({sampleRate, microphone: (context, output) => {
  if (kind === "node") return wire(context, output, frames);
  const end = new MediaStreamAudioDestinationNode(context, {channelCount: 1});
  wire(context, output, frames).connect(end);
  return end.stream;
}});
"""
CLICKS = """
const clicks = async ([frames, kind, rate]) => {
  const studio = await looped(frames, kind, rate);
  const due = Array.from({length: 4}, (_, k) => Math.round(0.2371 * k * rate));
  const reference = new AudioBuffer({length: rate, sampleRate: rate});
  for (const frame of due) reference.getChannelData(0)[frame] = 1;
  const take = await studio.record({reference, mode: "along"});
  const recorded = await take.done;
  const probed = await studio.probe();
  const facts = studio.facts();
  await studio.close();
  const heard = due.map((frame) => {
    const from = recorded.referenceStartFrame + frame;
    const near = recorded.samples.subarray(from, from + Math.round(0.23 * rate));
    return near.reduce((best, value, k) => (Math.abs(value) > Math.abs(near[best]) ? k : best), 0);
  });
  const { latency_s, leak_db } = probed;
  return {
    frames, rate, heard, gaps: recorded.gaps, measured: latency_s * rate, leak_db, kind: check.kindOf(probed), facts,
  };
};
return await Promise.all(a[0].map(clicks));
"""


def snr_db(heard: NDArray[np.float64], file: NDArray[np.float64], piece: int = 2048) -> float:
    """How much of `heard` is the file, wherever in it and however loud; 200 where it is the very samples.

    The median over pieces of `piece` samples: a fake microphone on a busy machine loses or repeats a buffer now and
    then, which spoils the piece where it happens, while resampling and voice processing spoil every one.
    """
    return float(np.median([_snr_db(heard[k : k + piece], file) for k in range(0, len(heard) - piece + 1, piece)]))


def _snr_db(part: NDArray[np.float64], file: NDArray[np.float64]) -> float:
    at = int(np.argmax(correlate(file, part, "valid")))
    there = file[at : at + len(part)]
    error = part - (part @ there) / (there @ there) * there
    return 10 * float(np.log10((part @ part) / max(error @ error, 1e-20 * (part @ part))))
