// What the browser can tell about a take before it is sent: level, silence, clipping, length, gaps. Each finding is a
// sentence with what to do. The server checks everything again, and the tune itself.

import { rms } from "./pitch.js";

// Levels in dBFS (RMS of 50 ms). With gain control off a hum into a phone at arm's length lies about -40 to -20.
const SILENT_DB = -58;
const QUIET_DB = -46;

// The share of 50 ms stretches that a take's level is read from: its loud tenth, so that rests do not count.
const LOUD_SHARE = 0.9;
const STRETCH_S = 0.05;

// At or above this a sample touches the ceiling; so many in a row are a flattened top, and so many tops are heard.
const CEILING = 0.99;
const FLAT_RUN = 3;
const FLAT_TOPS = 3;

// A take shorter than this is a slip of the finger, seconds.
const SLIP_S = 1;

// The sung part must last at least this share of the phrase.
const LEAST_SHARE = 0.55;

// Nothing heard at the end for this long is worth a word, seconds.
const LOST_END_S = 2;

// Lost samples beyond this break a melody, seconds.
const GAPS_S = 0.06;

// Under this share of the sung part with a clear pitch it was no hum: words, breath or noise.
const CLEAR_SHARE = 0.4;

/** dBFS of an RMS or peak value; -120 for nothing. */
export function decibels(value) {
  return value > 1e-6 ? 20 * Math.log10(value) : -120;
}

/** How loud a block is, as a word and a kind for its colour and icon. */
export function levelWord(rmsDb, peak) {
  if (peak >= CEILING) return { word: "too loud", kind: "bad" };
  if (rmsDb < SILENT_DB) return { word: "silent", kind: "soft" };
  if (rmsDb < QUIET_DB) return { word: "quiet", kind: "warning" };
  return { word: "good", kind: "good" };
}

/** The highest absolute sample. */
export function peakOf(samples) {
  let peak = 0;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return peak;
}

function stretchLevels(samples, sampleRate) {
  const size = Math.round(STRETCH_S * sampleRate);
  const levels = [];
  for (let first = 0; first + size <= samples.length; first += size) levels.push(decibels(rms(samples.subarray(first, first + size))));
  return levels;
}

function loudLevel(levels) {
  const sorted = [...levels].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * LOUD_SHARE)] ?? -120;
}

/** Tops that were cut flat. */
export function flatTops(samples) {
  let tops = 0;
  let run = 0;
  for (const sample of samples) {
    run = Math.abs(sample) >= CEILING ? run + 1 : 0;
    if (run === FLAT_RUN) tops += 1;
  }
  return tops;
}

/** Where the voice is: first and last second with a pitch, and the share of frames between them that have one. */
function sungPart({ hop_s, pitch }) {
  const first = pitch.findIndex((p) => p !== null);
  const last = pitch.findLastIndex((p) => p !== null);
  if (first < 0) return { from_s: 0, to_s: 0, share: 0 };
  const inside = pitch.slice(first, last + 1);
  return { from_s: first * hop_s, to_s: (last + 1) * hop_s, share: inside.filter((p) => p !== null).length / inside.length };
}

const seconds = (value) => `${value.toFixed(1)} seconds`;

function heardAtAll({ samples, sampleRate }) {
  const levels = stretchLevels(samples, sampleRate);
  if (samples.length < SLIP_S * sampleRate) {
    return [{ code: "too_short", stop: true, sentence: "That was too short to be a phrase. Press once to start and hum it to the end." }];
  }
  if (loudLevel(levels) < SILENT_DB) {
    return [{ code: "silent", stop: true, sentence: "We could not hear you. Check that the microphone is not muted, move closer and hum it again." }];
  }
  if (loudLevel(levels) < QUIET_DB) {
    return [{ code: "too_quiet", stop: false, sentence: "You are very quiet. Move closer to the microphone and hum it again." }];
  }
  return [];
}

function unbroken({ samples, sampleRate, gaps }) {
  const found = [];
  const lost_s = gaps.reduce((sum, gap) => sum + gap.frames, 0) / sampleRate;
  if (lost_s > GAPS_S) found.push({ code: "gaps", stop: false, sentence: `The microphone dropped out for ${seconds(lost_s)}. Close other programs and hum it again.` });
  if (flatTops(samples) >= FLAT_TOPS) found.push({ code: "clipped", stop: false, sentence: "It was too loud, so the sound broke up. Move a little away and hum it again." });
  return found;
}

function wholePhrase({ samples, sampleRate, curve }, phrase_s) {
  const sung = sungPart(curve);
  const after_s = samples.length / sampleRate - sung.to_s;
  if (sung.share === 0) return [{ code: "no_melody", stop: false, sentence: "We heard sound but no melody. Hum on “mm” or “da”, without words." }];
  if (sung.to_s - sung.from_s < LEAST_SHARE * phrase_s) {
    const late = after_s > LOST_END_S ? `We could not hear you for the last ${seconds(after_s)}. Move closer and hum it again.` : null;
    return [{ code: "cut_off", stop: false, sentence: late ?? `We heard ${seconds(sung.to_s - sung.from_s)} of a phrase of ${seconds(phrase_s)}. Hum it to the end.` }];
  }
  if (sung.share < CLEAR_SHARE) return [{ code: "unclear", stop: false, sentence: "The melody was hard to follow. Hum on “mm” or “da”, without words." }];
  return [];
}

/**
 * What is wrong with a take, worst first; [] when it may be sent as it is.
 * take: {samples, sampleRate, gaps: [{frame, frames}], curve}; phrase_s: how long the phrase lasts.
 * A finding with `stop` makes sending pointless; the others are advice.
 */
export function checkTake(take, phrase_s) {
  const hearing = heardAtAll(take);
  if (hearing.some((finding) => finding.stop)) return hearing;
  return [...hearing, ...unbroken(take), ...wholePhrase(take, phrase_s)];
}
