// The singer's pitch while they sing: YIN (de Cheveigné and Kawahara 2002) on the decimated signal. For the live
// picture only; the server tracks the take anew.

const LOWEST_HZ = 65;
const HIGHEST_HZ = 1000;

// YIN's absolute threshold on the cumulative mean normalised difference: above it a frame is not a tone.
const THRESHOLD = 0.18;

// Quieter than this (RMS) a frame is silence, whatever its shape.
const SILENCE = 10 ** (-56 / 20);

// The decimated rate is at least this, Hz: high enough for 1 kHz, low enough for a phone.
const WORKING_RATE = 11025;

const WINDOW_S = 0.044;

/** The difference function d(lag) of YIN over `size` samples, normalised by its running mean. */
function normalisedDifference(frame, size, longest) {
  const normal = new Float32Array(longest + 1);
  normal[0] = 1;
  let sum = 0;
  for (let lag = 1; lag <= longest; lag += 1) {
    let difference = 0;
    for (let k = 0; k < size; k += 1) {
      const step = frame[k] - frame[k + lag];
      difference += step * step;
    }
    sum += difference;
    normal[lag] = sum > 0 ? (difference * lag) / sum : 1;
  }
  return normal;
}

/** The lag between samples where the parabola through three points has its foot. */
function footNear(values, lag) {
  const [left, middle, right] = [values[lag - 1], values[lag], values[lag + 1] ?? values[lag]];
  const bend = left - 2 * middle + right;
  return bend > 0 ? lag + (left - right) / (2 * bend) : lag;
}

/** Hz of one frame, or null where it is no tone. The frame holds a window and the longest lag beyond it. */
export function yin(frame, sampleRate) {
  const longest = Math.floor(sampleRate / LOWEST_HZ);
  const shortest = Math.floor(sampleRate / HIGHEST_HZ);
  const normal = normalisedDifference(frame, frame.length - longest, longest);
  for (let lag = shortest; lag < longest; lag += 1) {
    if (normal[lag] >= THRESHOLD) continue;
    while (lag + 1 < longest && normal[lag + 1] < normal[lag]) lag += 1;
    return sampleRate / footNear(normal, lag);
  }
  return null;
}

/** MIDI semitones of Hz. */
export function semitones(hz) {
  return 69 + 12 * Math.log2(hz / 440);
}

/** Root mean square of samples. */
export function rms(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

/** A low-pass for keeping every factor-th sample: a windowed sinc, cut at 0.45 of the new rate. */
function lowPass(factor) {
  if (factor === 1) return Float32Array.of(1);
  const half = 4 * factor;
  const taps = Float32Array.from({ length: 2 * half + 1 }, (_, k) => {
    const x = (0.9 * (k - half)) / factor;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    return sinc * (0.5 + 0.5 * Math.cos((Math.PI * (k - half)) / (half + 1)));
  });
  const sum = taps.reduce((a, b) => a + b);
  return taps.map((tap) => tap / sum);
}

/** Fed with blocks of samples, gives a pitch every hop_s: frame k is centred on sample k * hop_s of what was fed. */
export class PitchTracker {
  constructor(sampleRate, hop_s = 0.02) {
    this.hop_s = hop_s;
    this.factor = Math.max(1, Math.floor(sampleRate / WORKING_RATE));
    this.rate = sampleRate / this.factor;
    this.taps = lowPass(this.factor);
    this.span = Math.round(WINDOW_S * this.rate) + Math.floor(this.rate / LOWEST_HZ);
    // Half a frame and half a filter of silence before the first sample: frame 0 is centred on it.
    this.waiting = new Float32Array(this.taps.length >> 1);
    this.low = new Float32Array(this.span >> 1);
    this.lowStart = -(this.span >> 1);
    this.next = 0;
  }

  /** The pitches (semitones or null) that these samples complete, in order. */
  push(samples) {
    this.decimate(samples);
    const found = [];
    for (;;) {
      const first = Math.round(this.next * this.hop_s * this.rate) - (this.span >> 1) - this.lowStart;
      if (first + this.span > this.low.length) break;
      found.push(this.pitchOf(this.low.subarray(first, first + this.span)));
      this.next += 1;
    }
    this.forget();
    return found;
  }

  pitchOf(frame) {
    if (rms(frame) < SILENCE) return null;
    const hz = yin(frame, this.rate);
    return hz === null ? null : semitones(hz);
  }

  decimate(samples) {
    const { taps, factor } = this;
    const input = joined(this.waiting, samples);
    const outputs = Math.max(0, Math.floor((input.length - taps.length) / factor) + 1);
    const output = new Float32Array(outputs);
    for (let n = 0; n < outputs; n += 1) {
      let sum = 0;
      for (let k = 0; k < taps.length; k += 1) sum += taps[k] * input[n * factor + k];
      output[n] = sum;
    }
    this.waiting = input.slice(outputs * factor);
    this.low = joined(this.low, output);
  }

  /** Drops what no later frame needs. */
  forget() {
    const needed = Math.round(this.next * this.hop_s * this.rate) - (this.span >> 1) - this.lowStart;
    const done = Math.max(0, Math.min(needed, this.low.length));
    this.low = this.low.slice(done);
    this.lowStart += done;
  }
}

function joined(a, b) {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** The pitch curve of a whole take. */
export function trackPitch(samples, sampleRate, hop_s = 0.02) {
  const tracker = new PitchTracker(sampleRate, hop_s);
  const silence = new Float32Array(tracker.span * tracker.factor);
  const pitch = [...tracker.push(samples), ...tracker.push(silence)];
  return { hop_s, pitch: pitch.slice(0, Math.ceil(samples.length / sampleRate / hop_s)) };
}
