// Hearing the piece on the desk: which side, from where, in a loop, slower; and how long the version was really heard.

import { SPEEDS } from "./review-words.js";

// The picture and the sound reach so far beyond the fragment on both sides, seconds.
export const AROUND_S = 0.3;

const LOOK_MS = 250;

export class Ear {
  /** changed(): something about playing is other than it was; moved(now_s): the sound went on. */
  constructor(context, { changed, moved }) {
    Object.assign(this, { context, changed, moved });
    this.piece = null;
    this.last = "both";
    this.place_s = null; // where it plays next from; null: from the start
    this.loop = false;
    this.step = 0;
    this.counted = null; // until when hearing was counted, on the context’s clock
    this.wasUsed = false; // the browser lets a page sound once somebody has asked for it
    this.frame = null;
    // Pages that are not seen draw no frames, and what is heard counts all the same.
    setInterval(() => this.count(), LOOK_MS);
  }

  get which() {
    return this.piece?.duet.playing?.which ?? null;
  }

  get now_s() {
    return this.which ? this.piece.duet.now_s : this.place_s;
  }

  /** Another piece comes on the desk, or none. */
  lay(piece) {
    this.stop();
    this.piece = piece;
    this.place_s = null;
    if (piece) piece.duet.speed = SPEEDS[this.step].speed;
  }

  /** Plays a side from the place on; what plays already is exchanged for it where it is. */
  play(which, from_s = this.now_s) {
    if (!this.piece) return Promise.resolve(false);
    this.count();
    const { duet, duration_s } = this.piece;
    this.last = which;
    this.wasUsed = true;
    this.place_s = from_s;
    this.counted = null;
    const region = this.loop ? { from_s: 0, to_s: duration_s, loop: true } : { to_s: duration_s + AROUND_S };
    const at = from_s === null ? {} : { at_s: this.loop ? Math.min(Math.max(0, from_s), duration_s) : from_s };
    const mine = Symbol("playing");
    this.playing = mine;
    const begun = duet.play(which, { ...region, ...at, ended: () => this.ended(mine) });
    this.changed();
    this.follow();
    return begun;
  }

  /** The same side again stops it. */
  press(which) {
    if (this.which === which) this.stop();
    else this.play(which);
  }

  /** Stops, or goes on from where it stopped. */
  toggle() {
    if (this.which) this.stop();
    else this.play(this.last);
  }

  /** Silence; it goes on from here. */
  stop() {
    if (!this.which) return;
    this.count();
    this.place_s = this.piece.duet.now_s;
    this.playing = null;
    this.piece.duet.stop();
    this.changed();
  }

  ended(mine) {
    // Stopped for another start, which tells itself.
    if (this.playing !== mine) return;
    this.count(true);
    this.playing = null;
    this.place_s = null;
    this.changed();
  }

  /** To a second of the fragment, and plays from there. */
  from(second) {
    const inside = Math.max(0, Math.min(second, this.piece.duration_s));
    if (this.which) this.piece.duet.seek(inside);
    else this.play(this.last, inside);
  }

  /** By so many seconds; where nothing plays only the place moves. */
  seek(by_s) {
    if (!this.piece) return;
    const second = Math.max(0, Math.min((this.now_s ?? 0) + by_s, this.piece.duration_s - 0.05));
    if (this.which) this.piece.duet.seek(second);
    else this.place_s = second || null;
    this.moved(this.now_s);
  }

  toStart() {
    if (!this.piece) return;
    if (this.which) this.piece.duet.seek(0);
    else this.place_s = null;
    this.moved(this.now_s);
  }

  toggleLoop() {
    this.loop = !this.loop;
    if (this.which) this.play(this.which);
    this.changed();
    return this.loop;
  }

  slower() {
    this.step = (this.step + 1) % SPEEDS.length;
    if (this.piece) this.piece.duet.speed = SPEEDS[this.step].speed;
    this.changed();
    return SPEEDS[this.step];
  }

  follow() {
    cancelAnimationFrame(this.frame);
    if (!this.which) return;
    this.count();
    this.moved(this.piece.duet.now_s);
    this.frame = requestAnimationFrame(() => this.follow());
  }

  /** Adds what was heard of the version since it was last asked. */
  count(isOver = false) {
    const { duet } = this.piece ?? {};
    const sounds = isOver ? this.counted : duet?.playing?.pass && duet.playing.which !== "reference" && this.context.state === "running";
    if (!sounds) {
      this.counted = null;
      return;
    }
    const now = this.context.currentTime;
    const wasHeard = this.piece.isHeard;
    if (this.counted !== null) this.piece.heard_s += now - this.counted;
    this.counted = now;
    if (this.piece.isHeard !== wasHeard) this.changed();
  }

  /** From a key to the sound it led to, for whoever looks: performance.getEntriesByName("verdict-to-sound"). */
  measure(since) {
    const pass = this.piece?.duet.playing?.pass;
    if (!pass) return;
    const wait_s = pass.first / this.context.sampleRate - this.context.currentTime;
    const end = performance.now() + Math.max(0, wait_s) * 1000;
    performance.measure("verdict-to-sound", { start: since, end, detail: { item: this.piece.id } });
  }
}
