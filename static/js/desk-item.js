// What lies on the reviewer's desk: both sides of an item, loaded and ready to sound, and what the reviewer has done to
// the version so far. Fragment time is the original's; the version's own clock runs `rate` times as fast.

import { get } from "./api.js";
import { inFragmentTime, overlay } from "./melody.js";
import { Duet, soundAt } from "./player.js";
import { peaksOf } from "./waveform.js";

// How far a version may be moved (fragment's clock) and its ends be cut (its own clock): the server's limits.
const MOST_NUDGE_MS = 5000;
const MOST_TRIM_S = 60;

// Something must be left of a trimmed version, seconds; of a shorter one half.
const LEAST_LEFT_S = 0.5;

// How much of a version must be heard before it may be accepted, seconds; of a shorter one half. The server's limit.
const LEAST_HEARD_S = 1.5;

// What is trimmed ends so softly, seconds: no click.
const FADE_S = 0.003;

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** A second buffer with the same sound: one is drawn, the other is trimmed and played. */
function copyOf(buffer) {
  const { length, numberOfChannels, sampleRate } = buffer;
  const copy = new AudioBuffer({ length, numberOfChannels, sampleRate });
  for (let k = 0; k < numberOfChannels; k += 1) copy.copyToChannel(buffer.getChannelData(k), k);
  return copy;
}

export class Piece {
  /** Everything that the item needs to be seen and heard. Throws ApiError, or DOMException where it cannot be decoded. */
  static async load(context, item) {
    const { original, version } = item;
    const [originalSound, versionSound, reference, voice] = await Promise.all([
      soundAt(context, original.audio_url), soundAt(context, version.audio_url), get(original.curve_url), get(version.curve_url),
    ]);
    return new Piece(context, item, { originalSound, versionSound, reference, voice });
  }

  constructor(context, item, { originalSound, versionSound, reference, voice }) {
    Object.assign(this, { item, versionSound, reference, voice });
    this.peaks = { reference: peaksOf(originalSound), voice: peaksOf(versionSound) };
    this.played = copyOf(versionSound);
    this.shift_ms = 0;
    this.trim = { start_s: 0, end_s: 0 };
    this.heard_s = 0;
    this.shownAt = null;
    this.duet = new Duet(context);
    this.duet.load("reference", originalSound);
    this.duet.load("voice", this.played, this.offset_s, this.rate);
  }

  get id() {
    return this.item.id;
  }

  get duration_s() {
    return this.item.original.duration_s;
  }

  get rate() {
    return this.item.version.tempo_ratio ?? 1;
  }

  /** Where the fragment begins in the version, by the reviewer: moving it later means reading it earlier. */
  get offset_s() {
    return (this.item.version.offset_s ?? 0) - (this.shift_ms / 1000) * this.rate;
  }

  /** The version's ends as the machine proposes them, on its own clock. */
  get found() {
    const start_s = this.item.version.offset_s ?? 0;
    return { start_s, end_s: Math.min(this.versionSound.duration, start_s + this.duration_s * this.rate) };
  }

  /** A second of the version's clock, on the fragment's. */
  inFragment(seconds) {
    return (seconds - this.offset_s) / this.rate;
  }

  /** The version's ends on the fragment's clock: as they were found, and as they are now. */
  get ends() {
    const { start_s, end_s } = this.found;
    return {
      found: [this.inFragment(start_s), this.inFragment(end_s)],
      now: [this.inFragment(start_s + this.trim.start_s), this.inFragment(end_s - this.trim.end_s)],
    };
  }

  get isChanged() {
    return this.shift_ms !== 0 || this.trim.start_s !== 0 || this.trim.end_s !== 0;
  }

  get isHeard() {
    return this.heard_s >= Math.min(LEAST_HEARD_S, this.item.version.duration_s / 2);
  }

  /** The version's curve over the original's, and by how many semitones it was moved for that. */
  overlaid() {
    const onClock = inFragmentTime(this.voice, { offset_s: this.offset_s, tempo_ratio: this.rate });
    return overlay(this.reference, onClock, this.item.version.transposition);
  }

  /** Later by so many ms; what plays goes on with the version in its new place. */
  nudge(ms) {
    this.shift_ms = clamp(this.shift_ms + ms, -MOST_NUDGE_MS, MOST_NUDGE_MS);
    this.duet.move("voice", this.offset_s);
  }

  /** An end ("start" or "end") moved by so many seconds of the version's clock; never out beyond where it was found. */
  moveEnd(end, by_s) {
    const { start_s, end_s } = this.found;
    const other = end === "start" ? "end_s" : "start_s";
    const most = end_s - start_s - this.trim[other] - Math.min(LEAST_LEFT_S, (end_s - start_s) / 2);
    const inwards = end === "start" ? by_s : -by_s;
    const wanted = this.trim[`${end}_s`] + inwards;
    // Rounded, as steps of 0.05 do not add up to 0 again in binary.
    this.trim[`${end}_s`] = Math.round(clamp(wanted, 0, Math.min(most, MOST_TRIM_S)) * 1e4) / 1e4;
    this.cutOff();
  }

  /** As the machine proposes it. */
  reset() {
    this.shift_ms = 0;
    this.trim = { start_s: 0, end_s: 0 };
    this.cutOff();
  }

  /** Silence where the version is trimmed; an end that is not trimmed is heard beyond itself. */
  cutOff() {
    const { start_s, end_s } = this.found;
    const { sampleRate, length, numberOfChannels } = this.played;
    const first = this.trim.start_s ? Math.round((start_s + this.trim.start_s) * sampleRate) : 0;
    const last = this.trim.end_s ? Math.round((end_s - this.trim.end_s) * sampleRate) : length;
    for (let channel = 0; channel < numberOfChannels; channel += 1) {
      const samples = this.versionSound.getChannelData(channel).slice();
      samples.fill(0, 0, Math.max(0, first));
      samples.fill(0, Math.max(0, last));
      this.soften(samples, first, last, Math.round(FADE_S * sampleRate));
      this.played.copyToChannel(samples, channel);
    }
    this.duet.move("voice", this.offset_s);
  }

  soften(samples, first, last, frames) {
    for (let k = 0; k < frames; k += 1) {
      if (first > 0 && first + k < samples.length) samples[first + k] *= k / frames;
      if (last < samples.length && last - 1 - k >= 0) samples[last - 1 - k] *= k / frames;
    }
  }

  /** The reviewer's own values, as the verdict carries them. */
  values() {
    return {
      nudge_s: -(this.shift_ms / 1000) * this.rate,
      trim_start_s: this.trim.start_s,
      trim_end_s: this.trim.end_s,
      heard_s: Math.round(this.heard_s * 1000) / 1000,
      took_s: this.shownAt === null ? null : Math.round(performance.now() - this.shownAt) / 1000,
    };
  }
}
