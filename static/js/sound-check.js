// Whether the microphone hears the loudspeaker, and how late. A short quiet sound, five sweeps, is played and looked for in
// what the microphone heard on the same clock. Pure measurement: no page, no microphone; studio.js plays and records.
//
// The sweeps are found by a matched filter and its quadrature, whose envelope does not mind a turned polarity or phase.
// What is alike at the five irregular places is the probe; a knock, a voice or a tone is not.

import {
  CLIFF_DB, ECHO_S, EMPTY_BAND_DB, EMPTY_HZ, FIRST_SHARE, FIRST_WITHIN_S, HEADPHONES_BELOW_DB, HELD, HOLE, HOLE_S,
  LEAST_AGREEMENT, LOWEST_EDGE_HZ, MUTED_SHARE, NARROW_BAND_HZ, NARROW_RATE_HZ, OVER_NOISE_DB, PROBE_LEVEL_DB,
} from "./take-limits.js";

export { HEADPHONES_BELOW_DB, PROBE_LEVEL_DB };

// Where the sweeps begin, seconds. No two of them are as far apart as two others, so when one is taken for another the
// rest stand alone. Five short ones rather than three long: what is alike five times is no accident.
const STARTS_S = [0, 0.17, 0.37, 0.6, 0.86];

// One sweep, seconds.
const SWEEP_S = 0.15;

// A phone's loudspeaker is weak under 500 Hz, where voices and hums are strong; a headset at 16 kHz ends below 8 kHz.
const LOW_HZ = 500;
const HIGH_HZ = 7000;

// Never nearer to half the sample rate than this share of it.
const HIGHEST_SHARE = 0.45;

// So much of a sweep fades in, and as much out: without a click, and without echoes of its own in the matched filter.
const FADE_SHARE = 0.25;

// A sweep's own peak in the matched filter is over within this, seconds.
const PEAK_S = 0.003;

// The noise at a lag is what lies within this of it, seconds.
const NEAR_S = 0.05;

// Of a Rayleigh envelope, which noise leaves.
const MEAN_OVER_MEDIAN = 1.064;

// So many times the noise's median a lag must be to count as leak: a Rayleigh envelope is so in 0.2 % of the lags.
const CLEAR = 3;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
const dB = (value) => 20 * Math.log10(Math.max(value, 1e-12));
const ratioOf = (db) => 10 ** (db / 20);
const OVER_NOISE = ratioOf(OVER_NOISE_DB);

function fade(place) {
  const edge = Math.min(place, 1 - place) / FADE_SHARE;
  return edge >= 1 ? 1 : 0.5 - 0.5 * Math.cos(Math.PI * edge);
}

/** A linear sweep and the same a quarter of a turn later. */
function makeSweep(sampleRate) {
  const frames = Math.round(SWEEP_S * sampleRate);
  const high_hz = Math.min(HIGH_HZ, HIGHEST_SHARE * sampleRate);
  const samples = new Float32Array(frames);
  const quadrature = new Float32Array(frames);
  for (let k = 0; k < frames; k += 1) {
    const t = k / sampleRate;
    const phase = 2 * Math.PI * (LOW_HZ * t + ((high_hz - LOW_HZ) * t * t) / (2 * SWEEP_S));
    const size = fade((k + 0.5) / frames) * ratioOf(PROBE_LEVEL_DB);
    samples[k] = size * Math.sin(phase);
    quadrature[k] = -size * Math.cos(phase);
  }
  const energy = samples.reduce((sum, sample) => sum + sample * sample, 0);
  return { samples, quadrature, energy, low_hz: LOW_HZ, high_hz };
}

/** Sum over the lags of the squared envelope that a sweep of gain 1 leaves in its own matched filter. */
function spreadOf({ samples, quadrature, energy }, sampleRate) {
  const most = Math.round(PEAK_S * sampleRate);
  let spread = 0;
  for (let lag = 0; lag <= most; lag += 1) {
    let inPhase = 0;
    let turned = 0;
    for (let k = 0; k + lag < samples.length; k += 1) {
      inPhase += samples[k] * samples[k + lag];
      turned += quadrature[k] * samples[k + lag];
    }
    spread += ((lag ? 2 : 1) * (inPhase * inPhase + turned * turned)) / (energy * energy);
  }
  return spread;
}

/** The short quiet sound: {samples, starts: frames at which its sweeps begin, sweep: what the matched filter needs}. */
export function makeProbe(sampleRate) {
  const sweep = makeSweep(sampleRate);
  const starts = STARTS_S.map((start_s) => Math.round(start_s * sampleRate));
  const samples = new Float32Array(starts.at(-1) + sweep.samples.length);
  for (const start of starts) samples.set(sweep.samples, start);
  return { samples, starts, sweep: { ...sweep, spread: spreadOf(sweep, sampleRate) } };
}

/** The recording through the sweep's matched filter: [in phase, turned]; frame n holds what begins n - early frames in. */
async function matched(recorded, sweep, sampleRate, early) {
  const size = sweep.samples.length;
  const offline = new OfflineAudioContext({ numberOfChannels: 2, length: early + recorded.length + size, sampleRate });
  const filter = offline.createBuffer(2, size, sampleRate);
  filter.copyToChannel(Float32Array.from(sweep.samples, (_, k) => sweep.samples[size - 1 - k] / sweep.energy), 0);
  filter.copyToChannel(Float32Array.from(sweep.quadrature, (_, k) => sweep.quadrature[size - 1 - k] / sweep.energy), 1);
  const sound = offline.createBuffer(1, early + recorded.length, sampleRate);
  sound.copyToChannel(recorded, 0, early);
  const source = new AudioBufferSourceNode(offline, { buffer: sound });
  source.connect(new ConvolverNode(offline, { disableNormalization: true, buffer: filter })).connect(offline.destination);
  source.start();
  const heard = await offline.startRendering();
  return [0, 1].map((channel) => heard.getChannelData(channel).subarray(size - 1));
}

function medianOf(values) {
  const sorted = Float32Array.from(values).sort();
  return sorted[sorted.length >> 1] ?? 0;
}

function placeOfMost(values) {
  return values.reduce((best, value, place) => (value > values[best] ? place : best), 0);
}

/**
 * The noise at each lag: what lies just before or just after, whichever is less (echoes follow the sound, they do not come
 * before it), and no less than the median of all lags. A knock in the room raises it where it falls, and only there.
 */
function noiseAround(envelope, sampleRate) {
  const [near, far] = [PEAK_S, NEAR_S].map((seconds) => Math.round(seconds * sampleRate));
  const sums = new Float64Array(envelope.length + 1);
  envelope.forEach((value, lag) => { sums[lag + 1] = sums[lag] + value; });
  const meanOf = (from, to) => {
    const [first, end] = [Math.max(0, from), Math.min(envelope.length, to)];
    return end > first ? (sums[end] - sums[first]) / (end - first) : Infinity;
  };
  const least = medianOf(envelope);
  return envelope.map((_, lag) => {
    const beside = Math.min(meanOf(lag - far, lag - near), meanOf(lag + near, lag + far));
    return Math.max(least, beside / MEAN_OVER_MEDIAN);
  });
}

/**
 * The sweeps together, for each lag. envelope: the gain of what they have in common; agreement: 1 where they are alike,
 * one over their number where a single one was heard; score: the one times the other; noise: of the envelope, around.
 */
function together([inPhase, turned], starts, lags, sampleRate) {
  const envelope = new Float32Array(lags);
  const agreement = new Float32Array(lags);
  for (let lag = 0; lag < lags; lag += 1) {
    let [real, imaginary, power] = [0, 0, 0];
    for (const start of starts) {
      const [a, b] = [inPhase[lag + start] ?? 0, turned[lag + start] ?? 0];
      real += a;
      imaginary += b;
      power += a * a + b * b;
    }
    const common = real * real + imaginary * imaginary;
    envelope[lag] = Math.sqrt(common) / starts.length;
    agreement[lag] = power > 0 ? common / (power * starts.length) : 0;
  }
  const score = envelope.map((value, lag) => value * agreement[lag]);
  return { envelope, agreement, score, noise: noiseAround(envelope, sampleRate) };
}

/** The earliest peak that is high enough and no noise, not long before the highest. */
function firstArrival({ score, agreement, noise }, highest, sampleRate) {
  const limit = FIRST_SHARE * score[highest];
  const earliest = Math.max(1, highest - Math.round(FIRST_WITHIN_S * sampleRate));
  for (let place = earliest; place < highest; place += 1) {
    const high = score[place] >= Math.max(limit, noise[place] * OVER_NOISE) && agreement[place] >= LEAST_AGREEMENT;
    if (high && score[place] >= score[place - 1] && score[place] > score[place + 1]) return place;
  }
  return highest;
}

/** Where the parabola through three points has its top, in places. */
function topNear(values, place) {
  const [left, middle, right] = [values[place - 1] ?? 0, values[place], values[place + 1] ?? 0];
  const bend = left - 2 * middle + right;
  return bend < 0 ? place + (left - right) / (2 * bend) : place;
}

/**
 * Gain of the leak, echoes included: the power of what stands over the noise and is alike in all sweeps, against that of a
 * sweep of gain 1.
 */
function leakOf({ envelope, agreement, noise }, first, spread, sampleRate) {
  const from = Math.max(0, first - Math.round(PEAK_S * sampleRate));
  const to = Math.min(envelope.length, first + Math.round(ECHO_S * sampleRate));
  let power = 0;
  for (let lag = from; lag < to; lag += 1) {
    if (envelope[lag] < CLEAR * noise[lag] || agreement[lag] < LEAST_AGREEMENT) continue;
    power += envelope[lag] ** 2 - noise[lag] ** 2 / Math.LN2; // a Rayleigh envelope's mean power from its median
  }
  return Math.sqrt(power / spread);
}

const NOT_FOUND = { found: false, latency_s: null, leak_db: null, floor_db: null, confidence: 0, reason: null };

/** A measurement that could not be made, with its reason in one word. */
export function notMeasured(reason) {
  return { ...NOT_FOUND, reason };
}

/**
 * Looks for the probe in what the microphone heard from the frame on in which the probe began to play.
 *
 * found; latency_s: when its first sound came back; leak_db: how loud, against how it was played; floor_db: the weakest
 * leak that would have been seen; confidence: 0 to 1, of the latency; reason: "muted" where the microphone gave nothing.
 */
export async function measureLoopback(recorded, probe, sampleRate, { from_s = 0, to_s = 0.5 } = {}) {
  const { starts, sweep } = probe;
  // A little is looked at on both sides, so that a peak at the very edge is one too.
  const earliest = Math.round((from_s - NEAR_S) * sampleRate);
  const early = Math.max(0, -earliest);
  const lags = Math.round((to_s - from_s + 2 * NEAR_S) * sampleRate);
  const heard = await matched(recorded, sweep, sampleRate, early);
  const sweeps = together(heard.map((part) => part.subarray(early + earliest)), starts, lags, sampleRate);
  const { envelope, agreement, score, noise } = sweeps;
  const highest = placeOfMost(score.map((value, lag) => (noise[lag] > 0 ? value / noise[lag] : 0)));
  const least = noise[highest] * OVER_NOISE;
  if (!(score[highest] > least && agreement[highest] >= LEAST_AGREEMENT)) {
    if (isMuted(recorded, sampleRate)) return notMeasured("muted");
    // What stands out without agreeing, a knock or a word, could have hidden a leak of its own size.
    return { ...NOT_FOUND, floor_db: dB(Math.max(medianOf(noise) * OVER_NOISE, envelope[placeOfMost(envelope)])) };
  }
  const first = firstArrival(sweeps, highest, sampleRate);
  return {
    found: true,
    latency_s: Math.max(from_s, (topNear(envelope, first) + earliest) / sampleRate),
    leak_db: dB(leakOf(sweeps, first, sweep.spread, sampleRate)),
    floor_db: dB(least),
    confidence: agreement[highest] * (1 - (least / score[highest]) ** 2 / 2),
    reason: null,
  };
}

/**
 * "loudspeaker", "headphones", or "unsure" where a leak could have drowned in noise, the microphone gave nothing, or the
 * browser's own echo cancellation (result.processed) may have taken the probe out.
 */
export function kindOf({ found, leak_db, floor_db, processed = false }) {
  if (found && leak_db >= HEADPHONES_BELOW_DB) return "loudspeaker";
  return floor_db !== null && floor_db <= HEADPHONES_BELOW_DB && !processed ? "headphones" : "unsure";
}

// ---------------------------------------------------------------- what the microphone did not deliver

/** Where one value, zero as a rule, is held for HOLE_S and longer: [{frame, frames}]. */
export function heldRuns(samples, sampleRate) {
  const least = HOLE_S * sampleRate;
  const runs = [];
  let first = 0;
  for (let frame = 1; frame <= samples.length; frame += 1) {
    if (Math.abs(samples[frame] - samples[first]) < HELD) continue;
    if (frame - first >= least && Math.abs(samples[first]) < HOLE) runs.push({ frame: first, frames: frame - first });
    first = frame;
  }
  return runs;
}

function isMuted(samples, sampleRate) {
  const dead = heldRuns(samples, sampleRate).reduce((sum, { frames }) => sum + frames, 0);
  return dead >= MUTED_SHARE * samples.length;
}

// ---------------------------------------------------------------- bandwidth

// Spectra are taken of so many frames each, at most so many of them, evenly from the whole sound.
const PART = 2048;
const PARTS = 48;
const LEAST_PARTS = 4;

// Mean square of the Blackman window that an AnalyserNode lays over its frames.
const BLACKMAN_POWER = 0.3046;

const BAND_HZ = 100;
const SPAN = EMPTY_HZ / BAND_HZ;

// The bands next to a cliff are its slope.
const SLOPE = 2;

/**
 * Power of each band of BAND_HZ, full scale being 1: the median of the parts, so that a click between two pieces does not
 * count. null of too short a sound.
 */
async function bandPowers(samples, sampleRate) {
  const parts = Math.min(PARTS, Math.floor(samples.length / PART));
  if (parts < LEAST_PARTS) return null;
  const offline = new OfflineAudioContext({ numberOfChannels: 1, length: PART, sampleRate });
  const analysers = Array.from({ length: parts }, (_, part) => {
    const first = Math.floor((part * (samples.length - PART)) / (parts - 1));
    const buffer = offline.createBuffer(1, PART, sampleRate);
    buffer.copyToChannel(samples.subarray(first, first + PART), 0);
    const source = new AudioBufferSourceNode(offline, { buffer });
    const analyser = new AnalyserNode(offline, { fftSize: PART, smoothingTimeConstant: 0 });
    source.connect(analyser).connect(offline.destination);
    source.start();
    return analyser;
  });
  await offline.startRendering();
  const spectra = analysers.map((analyser) => bandsOf(analyser, sampleRate / PART));
  return spectra[0].map((_, band) => medianOf(spectra.map((powers) => powers[band])));
}

/** The bands of one spectrum; its negative half and the window are made good. */
function bandsOf(analyser, bin_hz) {
  const decibels = new Float32Array(PART / 2);
  analyser.getFloatFrequencyData(decibels);
  const scale = (2 * BAND_HZ) / (BLACKMAN_POWER * bin_hz);
  return Array.from({ length: Math.floor((decibels.length * bin_hz) / BAND_HZ) }, (_, band) => {
    const from = Math.round((band * BAND_HZ) / bin_hz);
    const to = Math.max(from + 1, Math.round(((band + 1) * BAND_HZ) / bin_hz));
    return scale * mean(Array.from(decibels.subarray(from, to), (level) => 10 ** (level / 10)));
  });
}

/** Whether nothing more comes from this band on for EMPTY_HZ, after a cliff. */
function endsAt(levels, band) {
  const above = levels.slice(band, band + SPAN);
  return above.every((level) => level < EMPTY_BAND_DB) && mean(levels.slice(band - SPAN, band - SLOPE)) - mean(above) >= CLIFF_DB;
}

/**
 * Hz up to which there is sound; half the sample rate where it ends nowhere before; null when there is too little sound
 * to say. Mirror images that a resampler leaves above the gap do not count.
 */
export async function bandwidthOf(samples, sampleRate) {
  const powers = await bandPowers(samples, sampleRate);
  if (!powers) return null;
  const levels = powers.map((power) => 10 * Math.log10(Math.max(power, 1e-20)));
  const lowest = LOWEST_EDGE_HZ / BAND_HZ;
  if (levels.slice(0, lowest).every((level) => level < EMPTY_BAND_DB)) return null;
  for (let band = lowest; band + SPAN <= levels.length; band += 1) {
    if (endsAt(levels, band)) return band * BAND_HZ;
  }
  return sampleRate / 2;
}

/** Whether this is a headset's call mode or a telephone. bandwidth_hz may be null: not known. */
export function isNarrow(bandwidth_hz, { sampleRate } = {}) {
  return (sampleRate ?? Infinity) <= NARROW_RATE_HZ || (bandwidth_hz ?? Infinity) < NARROW_BAND_HZ;
}
