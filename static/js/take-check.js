// What the browser can tell about a take before it is sent: level, silence, clipping, length, gaps, bandwidth. Each finding
// is a sentence with what to do; the limits stand in take-limits.js. The server checks everything again, and the tune
// itself.

import { rms } from "./pitch.js";
import { heldRuns, isNarrow } from "./sound-check.js";
import {
  BESIDE_HOLE_DB, BESIDE_HOLE_S, CEILING, CLEAR_SHARE, FLAT_RUN, FLAT_TOPS, GAPS_S, LEAST_SHARE, LOST_END_S, LOUD_SHARE, NOTHING_DB,
  QUIET_DB, SILENT_DB, SLIP_S, STRETCH_S,
} from "./take-limits.js";
import { decimal, gettext, interpolate } from "./words.js";

/** dBFS of an RMS or peak value; NOTHING_DB for nothing. */
export function decibels(value) {
  return Math.max(NOTHING_DB, 20 * Math.log10(value));
}

/** How loud a block is: a code, its word for the reader, and a kind for its colour and icon. */
export function levelWord(rmsDb, peak) {
  if (peak >= CEILING) return { code: "too loud", word: gettext("too loud"), kind: "bad" };
  if (rmsDb < SILENT_DB) return { code: "silent", word: gettext("silent"), kind: "soft" };
  if (rmsDb < QUIET_DB) return { code: "quiet", word: gettext("quiet"), kind: "warning" };
  return { code: "good", word: gettext("good"), kind: "good" };
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
  return sorted[Math.floor(sorted.length * LOUD_SHARE)] ?? NOTHING_DB;
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

/** Seconds of sound that the microphone did not deliver: runs of one held value with loud sound right before and after. */
export function lostSeconds(samples, sampleRate) {
  const beside = Math.round(BESIDE_HOLE_S * sampleRate);
  const loud = (from, to) => decibels(rms(samples.subarray(Math.max(0, from), to))) > BESIDE_HOLE_DB;
  const holes = heldRuns(samples, sampleRate).filter(
    ({ frame, frames }) => loud(frame - beside, frame) && loud(frame + frames, frame + frames + beside),
  );
  return holes.reduce((sum, { frames }) => sum + frames, 0) / sampleRate;
}

/** A finding. stop: sending is pointless. again: humming it again may mend it. */
function finding(code, sentence, values = {}, { stop = false, again = true } = {}) {
  const shown = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, decimal(value)]));
  return { code, stop, again, sentence: interpolate(sentence, shown) };
}

function heardAtAll({ samples, sampleRate }) {
  if (samples.length < SLIP_S * sampleRate) {
    return [finding("too_short", gettext("That was too short to be a phrase. Press once to start and hum it to the end."), {}, { stop: true })];
  }
  const level = loudLevel(stretchLevels(samples, sampleRate));
  if (level < SILENT_DB) {
    return [finding("silent", gettext("We could not hear you. Check that the microphone is not muted, move closer and hum it again."), {}, { stop: true })];
  }
  if (level < QUIET_DB) {
    return [finding("too_quiet", gettext("You are very quiet. Move closer to the microphone and hum it again."))];
  }
  return [];
}

function unbroken({ samples, sampleRate, gaps, interrupted = null }) {
  const found = [];
  if (interrupted) {
    found.push(finding("interrupted", gettext("The sound was interrupted, perhaps by a call or another program. Hum it again.")));
  }
  // Gaps are zeros in the samples, so that most of them are held runs too.
  const numbered_s = gaps.reduce((sum, gap) => sum + gap.frames, 0) / sampleRate;
  const lost_s = Math.max(numbered_s, lostSeconds(samples, sampleRate));
  if (lost_s > GAPS_S) {
    found.push(finding("gaps", gettext("The microphone dropped out for %(lost)s seconds. Close other programs and hum it again."), { lost: lost_s }));
  }
  if (flatTops(samples) >= FLAT_TOPS) {
    found.push(finding("clipped", gettext("It was too loud, so the sound broke up. Move a little away and hum it again.")));
  }
  return found;
}

function wholePhrase({ samples, sampleRate, curve }, phrase_s) {
  const sung = sungPart(curve);
  const sung_s = sung.to_s - sung.from_s;
  const after_s = samples.length / sampleRate - sung.to_s;
  if (sung.share === 0) return [finding("no_melody", gettext("We heard sound but no melody. Hum on “mm” or “da”, without words."))];
  if (sung_s < LEAST_SHARE * phrase_s && after_s > LOST_END_S) {
    return [finding("cut_off", gettext("We could not hear you for the last %(silent)s seconds. Move closer and hum it again."), { silent: after_s })];
  }
  if (sung_s < LEAST_SHARE * phrase_s) {
    const sentence = gettext("We heard %(heard)s seconds of a phrase of %(whole)s seconds. Hum it to the end.");
    return [finding("cut_off", sentence, { heard: sung_s, whole: phrase_s })];
  }
  if (sung.share < CLEAR_SHARE) return [finding("unclear", gettext("The melody was hard to follow. Hum on “mm” or “da”, without words."))];
  return [];
}

function wide({ bandwidth_hz = null, settings = {} }) {
  if (!isNarrow(bandwidth_hz, settings)) return [];
  const sentence = gettext("The recording sounds like a telephone call. Without a Bluetooth headset it would sound better.");
  return [finding("narrow_band", sentence, {}, { again: false })];
}

/**
 * What is wrong with a take, worst first; [] when it may be sent as it is.
 * take: {samples, sampleRate, gaps: [{frame, frames}], curve}, and where they are known {interrupted, bandwidth_hz,
 * settings of the track}; phrase_s: how long the phrase lasts.
 * A finding with `stop` makes sending pointless; the others are advice, and one without `again` is not mended by humming
 * again.
 */
export function checkTake(take, phrase_s) {
  const hearing = heardAtAll(take);
  if (hearing.some(({ stop }) => stop)) return hearing;
  return [...hearing, ...unbroken(take), ...wholePhrase(take, phrase_s), ...wide(take)];
}
