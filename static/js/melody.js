// Melody curves: pure functions, no page and no sound. A curve is {hop_s, pitch, start_s}: frame k lies at second
// start_s + k * hop_s (start_s is 0 where absent); pitch is in MIDI semitones (69 = 440 Hz), null where unvoiced.

import { decimal, gettext, interpolate } from "./words.js";

const OCTAVE = 12;

// Fewer voiced frames in common than this (at a hop of 20 ms: half a second) say nothing about the singer's key.
const ENOUGH_FRAMES = 25;

// The picture never shows less than this many semitones, else a hum on one note would look like a storm.
const LEAST_SPAN = 10;

// Air above and below the curves, semitones.
const AIR = 1.5;

// A break shorter than this is a consonant or a tracker's blink: the line goes on.
const BRIDGE_S = 0.05;

// Steps between note lines, semitones; the first that leaves room is taken.
const GRID_STEPS = [1, 2, 3, 6, 12];

const NOTE_NAMES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

/** Seconds from the curve's time zero to its end. */
export function endOf(curve) {
  return (curve.start_s ?? 0) + curve.pitch.length * curve.hop_s;
}

/** The pitch at second t, or null where unvoiced or outside. */
export function pitchAt(curve, t) {
  return curve.pitch[Math.round((t - (curve.start_s ?? 0)) / curve.hop_s)] ?? null;
}

/** The voiced pitches, in order. */
export function voiced(curve) {
  return curve.pitch.filter((pitch) => pitch !== null);
}

/** The middle value, or null of nothing. */
export function median(values) {
  if (!values.length) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** Semitones folded into [-6, 6): octaves do not count. */
export function fold(semitones) {
  return semitones - OCTAVE * Math.floor(semitones / OCTAVE + 0.5);
}

/** Voice minus reference, wherever both sound. */
function differences(reference, voice) {
  const found = [];
  voice.pitch.forEach((pitch, k) => {
    const other = pitch === null ? null : pitchAt(reference, (voice.start_s ?? 0) + k * voice.hop_s);
    if (other !== null) found.push(pitch - other);
  });
  return found;
}

/** Sum of unit vectors: an octave is one turn, so octave errors fall together. */
function turns(semitones) {
  let x = 0;
  let y = 0;
  for (const value of semitones) {
    x += Math.cos((2 * Math.PI * value) / OCTAVE);
    y += Math.sin((2 * Math.PI * value) / OCTAVE);
  }
  return { angle: (Math.atan2(y, x) * OCTAVE) / (2 * Math.PI), length: Math.hypot(x, y) };
}

/**
 * Semitones from the reference up to the voice, octave included; null where they have too little in common.
 * The place within the octave is a mean on the circle refined by a median, so a tracker's octave slips do not move it.
 */
export function transposition(reference, voice, enough = ENOUGH_FRAMES) {
  const found = differences(reference, voice);
  if (found.length < enough) return null;
  const centre = turns(found).angle;
  const within = centre + median(found.map((value) => fold(value - centre)));
  return within + OCTAVE * Math.round(median(found.map((value) => (value - within) / OCTAVE)));
}

/** The curve moved by so many semitones. */
export function transposed(curve, semitones) {
  return { ...curve, pitch: curve.pitch.map((pitch) => (pitch === null ? null : pitch + semitones)) };
}

/** The curve later by so many seconds. */
export function shifted(curve, seconds) {
  return { ...curve, start_s: (curve.start_s ?? 0) + seconds };
}

/** A version's curve on the fragment's clock: fragment second u is heard in it at offset_s + u * tempo_ratio. */
export function inFragmentTime(curve, { offset_s = 0, tempo_ratio = 1 }) {
  return { ...curve, hop_s: curve.hop_s / tempo_ratio, start_s: ((curve.start_s ?? 0) - offset_s) / tempo_ratio };
}

/** Unbroken stretches of voice: [first, last) frame numbers. */
export function runs(curve) {
  const found = [];
  let first = null;
  for (let k = 0; k <= curve.pitch.length; k += 1) {
    const sounds = k < curve.pitch.length && curve.pitch[k] !== null;
    if (sounds && first === null) first = k;
    if (!sounds && first !== null) {
      found.push([first, k]);
      first = null;
    }
  }
  return found;
}

/** A running median of so many seconds within each unbroken stretch: the line without its vibrato and scratches. */
export function smoothed(curve, seconds) {
  const half = Math.round(seconds / curve.hop_s / 2);
  const pitch = [...curve.pitch];
  for (const [first, last] of runs(curve)) {
    for (let k = first; k < last; k += 1) pitch[k] = median(curve.pitch.slice(Math.max(first, k - half), Math.min(last, k + half + 1)));
  }
  return { ...curve, pitch };
}

/** Each unbroken stretch moved by whole octaves to lie nearest to the reference; never torn within itself. */
export function foldedOnto(reference, voice) {
  const pitch = [...voice.pitch];
  const home = median(voiced(reference));
  for (const [first, last] of runs(voice)) {
    const stretch = { ...voice, start_s: (voice.start_s ?? 0) + first * voice.hop_s, pitch: pitch.slice(first, last) };
    const apart = median(differences(reference, stretch)) ?? (home === null ? 0 : median(stretch.pitch) - home);
    const octaves = OCTAVE * Math.round(apart / OCTAVE);
    for (let k = first; k < last; k += 1) pitch[k] -= octaves;
  }
  return { ...voice, pitch };
}

/**
 * The voice laid over the reference: in the reference's key, octave slips folded away.
 * key: semitones from reference to voice where known (the server's), else estimated; by: what was taken off.
 */
export function overlay(reference, voice, key = null) {
  const by = key ?? transposition(reference, voice) ?? firstGuess(reference, voice);
  return { by, curve: foldedOnto(reference, transposed(voice, -by)) };
}

/** Before enough was heard: middle upon middle. */
function firstGuess(reference, voice) {
  const own = median(voiced(voice));
  const other = median(voiced(reference));
  return own === null || other === null ? 0 : own - other;
}

/**
 * The delay (seconds) at which the voice agrees best with the reference in any key, octaves not counted, with its
 * agreement 0..1: the length of the mean unit vector of their differences. For a picture, not for the dataset.
 */
export function bestDelay(reference, voice, { from_s = -1, to_s = 4, step_s = 0.02, hop_s = 0.04 } = {}) {
  const points = [];
  for (let u = 0; u < endOf(reference); u += hop_s) {
    const pitch = pitchAt(reference, u);
    if (pitch !== null) points.push([u, pitch]);
  }
  let best = { delay_s: 0, agreement: 0 };
  for (let delay_s = from_s; delay_s <= to_s; delay_s += step_s) {
    const apart = [];
    for (const [u, pitch] of points) {
      const own = pitchAt(voice, u + delay_s);
      if (own !== null) apart.push(own - pitch);
    }
    const agreement = points.length ? turns(apart).length / points.length : 0;
    if (agreement > best.agreement) best = { delay_s, agreement };
  }
  return best;
}

/** The lowest and highest pitch to show for these curves, with air, never less than LEAST_SPAN. */
export function spanOf(curves) {
  const pitches = curves.flatMap(voiced).sort((a, b) => a - b);
  if (!pitches.length) return { low: 60 - LEAST_SPAN / 2, high: 60 + LEAST_SPAN / 2 };
  // A stray frame in a hundred may leave the picture.
  const low = pitches[Math.floor(pitches.length * 0.01)] - AIR;
  const high = pitches[Math.ceil(pitches.length * 0.99) - 1] + AIR;
  const more = Math.max(0, LEAST_SPAN - (high - low)) / 2;
  return { low: low - more, high: high + more };
}

/** Pitches of the note lines between low and high, at least `room` pixels apart on a picture of that height. */
export function gridNotes({ low, high }, height, room = 22) {
  const pixels = height / (high - low);
  const step = GRID_STEPS.find((semitones) => semitones * pixels >= room) ?? OCTAVE;
  const notes = [];
  for (let note = Math.ceil(low / step) * step; note <= high; note += step) notes.push(note);
  return notes;
}

/** The lines to draw: lists of [second, pitch], short breaks bridged. */
export function strokes(curve) {
  const lines = [];
  let last = null;
  for (const [first, end] of runs(curve)) {
    const points = [];
    for (let k = first; k < end; k += 1) points.push([(curve.start_s ?? 0) + k * curve.hop_s, curve.pitch[k]]);
    if (last !== null && (first - last) * curve.hop_s <= BRIDGE_S) lines.at(-1).push(...points);
    else lines.push(points);
    last = end;
  }
  return lines;
}

/** A scale: seconds or pitches from [from, to] onto pixels [start, end]. */
export function scale(from, to, start, end) {
  const factor = to === from ? 0 : (end - start) / (to - from);
  return (value) => start + (value - from) * factor;
}

/** "G4" for 67. */
export function noteName(pitch) {
  const note = Math.round(pitch);
  return `${NOTE_NAMES[((note % OCTAVE) + OCTAVE) % OCTAVE]}${Math.floor(note / OCTAVE) - 1}`;
}

/** A curve in words, for those who do not see it. */
export function describe(curve, name = gettext("The melody")) {
  const pitches = voiced(curve);
  if (!pitches.length) return interpolate(gettext("%(name)s: nothing heard."), { name });
  const low = noteName(Math.min(...pitches));
  const high = noteName(Math.max(...pitches));
  const seconds = decimal(curve.pitch.length * curve.hop_s);
  const first = median(pitches.slice(0, Math.max(1, pitches.length >> 2)));
  const last = median(pitches.slice(-Math.max(1, pitches.length >> 2)));
  const level = gettext("%(name)s: %(seconds)s seconds, from %(low)s to %(high)s; it ends about where it starts.");
  const rises = gettext("%(name)s: %(seconds)s seconds, from %(low)s to %(high)s; it rises to its end.");
  const falls = gettext("%(name)s: %(seconds)s seconds, from %(low)s to %(high)s; it falls to its end.");
  return interpolate(Math.abs(last - first) < 1 ? level : last > first ? rises : falls, { name, seconds, low, high });
}
