// A long recording, played from anywhere: fetched in pieces as they are needed, joined to the sample, on one AudioContext.

import { getBytes } from "./api.js";

// Length of a piece, seconds: whole, so that pieces begin and end at whole samples.
const PIECE_S = 20;

// Pieces kept decoded; the longest unused go first.
const KEPT = 8;

// Time for the browser to schedule a start, seconds.
const SOON_S = 0.06;

// The next piece is fetched when less than this is left of the present one, seconds.
const AHEAD_S = 12;

const LOOK_EVERY_MS = 500;

export class Reel {
  /** path(start_s, end_s): the address of an interval's audio. */
  constructor(context, path, duration_s) {
    this.context = context;
    this.path = path;
    this.duration_s = duration_s;
    this.pieces = new Map();
    this.playing = null;
  }

  /** The second that is heard now, or null. */
  get now_s() {
    if (!this.playing?.sources.length) return null;
    const heard = this.context.currentTime - (this.context.outputLatency || 0) - this.playing.zero;
    return Math.min(Math.max(heard, this.playing.from_s), this.playing.to_s);
  }

  piece(number) {
    const kept = this.pieces.get(number) ?? this.fetch(number);
    this.pieces.delete(number);
    this.pieces.set(number, kept);
    if (this.pieces.size > KEPT) this.pieces.delete(this.pieces.keys().next().value);
    return kept;
  }

  async fetch(number) {
    const start_s = number * PIECE_S;
    try {
      return await this.context.decodeAudioData(await getBytes(this.path(start_s, Math.min(start_s + PIECE_S, this.duration_s))));
    } catch (error) {
      // A piece that did not come is asked for anew the next time.
      this.pieces.delete(number);
      throw error;
    }
  }

  /** Plays an interval; ended is called when it is over or stopped. Rejects with ApiError where its audio does not come. */
  async play(from_s, to_s, ended = () => {}) {
    this.stop();
    const playing = { from_s, to_s, ended, zero: 0, sources: [], next: Math.floor(from_s / PIECE_S) };
    this.playing = playing;
    try {
      await Promise.all([this.context.resume(), this.piece(playing.next)]);
      if (this.playing !== playing) return;
      playing.zero = this.context.currentTime + SOON_S - from_s;
      await this.extend(playing);
    } catch (error) {
      if (this.playing === playing) this.stop();
      throw error;
    }
    playing.timer = setInterval(() => this.look(playing), LOOK_EVERY_MS);
  }

  /** Puts the next piece behind what is scheduled already. */
  async extend(playing) {
    const number = playing.next;
    const buffer = await this.piece(number);
    if (this.playing !== playing || playing.next !== number) return;
    playing.next += 1;
    const start_s = number * PIECE_S;
    const first_s = Math.max(playing.from_s, start_s);
    const last_s = Math.min(playing.to_s, start_s + buffer.duration);
    // A piece that came late makes a pause; the clock waits with it.
    const late_s = Math.max(0, this.context.currentTime + SOON_S - (playing.zero + first_s));
    playing.zero += late_s;
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    source.start(playing.zero + first_s, first_s - start_s, Math.max(0, last_s - first_s));
    playing.sources.push(source);
    playing.until_s = last_s;
    source.addEventListener("ended", () => {
      if (this.playing === playing && playing.until_s === last_s && last_s >= Math.min(playing.to_s, this.duration_s) - 0.01) this.stop();
    });
  }

  async look(playing) {
    if (this.playing !== playing || playing.busy) return;
    const more = playing.until_s < Math.min(playing.to_s, this.duration_s) - 0.01;
    if (!more || playing.until_s - this.now_s > AHEAD_S) return;
    playing.busy = true;
    try {
      await this.extend(playing);
    } finally {
      playing.busy = false;
    }
  }

  stop() {
    const { playing } = this;
    if (!playing) return;
    this.playing = null;
    clearInterval(playing.timer);
    playing.sources.forEach((source) => source.stop());
    playing.ended();
  }
}
