// The reference and a voice on one AudioContext: either alone or both in step, to the sample. Time is the fragment's:
// second u of the reference is heard in the voice at offset_s + u * rate. Alone the voice keeps its own pace; together
// it is played at `rate` times its speed, so that both are in step (and its pitch moves with it).
//
// Every round of a loop is a source of its own for each part, started ahead of time at zero + n * length: whole frames
// of the context, the same for both parts. `source.loop` would be shorter. But each part would count its own rounds at a
// pace rounded to 32 bits (measured in Chromium 156: 0.02 to 0.06 of a sample apart after a minute at rates of 0.87 to
// 1.1), and a part that begins or ends within the loop cannot be looped so at all.

import { getBytes } from "./api.js";

// Both begin a little before the first note, so that a voice that is early is heard whole. Seconds.
const LEAD_S = 0.25;

// Time for the browser to schedule a start, seconds. Two of the sound card's usual blocks; where that was too little, it
// is tried again with more.
const SOON_S = 0.02;
const MOST_SOON_S = 0.64;

// Silence comes as soon as a fade can still be scheduled, seconds.
const STOP_S = 0.005;

// What is cut begins and ends so softly, seconds: no clicks.
const FADE_S = 0.003;

// Rounds of a loop are scheduled so far ahead and looked after so often. Timers of hidden pages run once a second.
const AHEAD_S = 3;
const LOOK_MS = 250;

// A loop is no shorter, seconds.
const SHORTEST_S = 0.05;

// Frames that are rendered at a time, in every browser.
const QUANTUM = 128;

// Sources stop this part of a frame early: rounding then never lets through one frame of what comes after.
const EARLY = 0.25;

// Both are brought to this peak, at most so many times louder.
const PEAK = 0.7;
const MOST_GAIN = 12;

// Together: the reference to the left, the voice to the right.
const PAN = 0.55;

/** The sound at an address, decoded. Throws ApiError, or DOMException where it cannot be decoded. */
export async function soundAt(context, path) {
  return context.decodeAudioData(await getBytes(path));
}

function gainFor(buffer) {
  const samples = buffer.getChannelData(0);
  let peak = 1e-4;
  // An index, not an iterator: this runs over a million samples while someone waits.
  for (let k = 0; k < samples.length; k += 1) {
    const size = Math.abs(samples[k]);
    if (size > peak) peak = size;
  }
  return Math.min(MOST_GAIN, PEAK / peak);
}

// ---------------------------------------------------------------- the schedule, in frames of the context

export function frameOf(seconds, sampleRate) {
  return Math.round(seconds * sampleRate);
}

/**
 * A pass plays fragment seconds from from_s on, a second in `pace` frames (no whole number) from frame `zero` on. With
 * `loop` it begins anew after every `length` frames (a whole number; Infinity: to the end of the sound). Here: the pass
 * of which second place_s is heard at frame `first`.
 */
export function passThrough({ from_s, to_s, loop }, pace, place_s, first) {
  const length = to_s === Infinity ? Infinity : Math.round((to_s - from_s) * pace);
  return { from_s, loop, pace, length, first, zero: first - Math.round((place_s - from_s) * pace) };
}

/** The fragment's second that a pass plays at a frame. */
export function placeAt({ from_s, loop, pace, length, zero }, frame) {
  const along = frame - zero;
  return from_s + (loop && along > 0 ? along % length : along) / pace;
}

/** The rounds of a pass from number `next` on that begin before frame `until`; the first one in any case. */
export function* rounds({ zero, length, loop }, next, until) {
  for (let n = next; n === 0 || (loop && zero + n * length < until); n += 1) {
    const begin = n ? zero + n * length : zero;
    yield { n, begin, end: begin + length };
  }
}

/**
 * From which frame of its buffer on a part is heard in a round, and when, if nothing is to sound before frame
 * `soonest`; null where nothing of it is. At its own speed (step 1) it is the very samples: the place is rounded to a
 * whole frame, half a sample off at most, the same in every round. Else it is interpolated anyway, from the exact place.
 */
export function entry({ frames, sampleRate, offset_s, rate }, { from_s, pace }, { begin, end }, soonest) {
  const step = (rate * sampleRate) / pace;
  const exact = (offset_s + from_s * rate) * sampleRate;
  const start = Math.max(begin, soonest);
  const place = (step === 1 ? Math.round(exact) : exact) + (start - begin) * step;
  const wait = Math.max(0, Math.ceil(-place / step));
  const when = start + wait;
  const frame = place + wait * step;
  return when < end && frame < frames ? { when, frame, end } : null;
}

// ---------------------------------------------------------------- the player

function firstOf(which) {
  return which === "reference" ? 0 : -LEAD_S;
}

function endOf({ buffer, offset_s, rate }) {
  return (buffer.duration - offset_s) / rate;
}

export class Duet {
  #speed = 1;

  /**
   * output: the node that everything is heard through; the loudspeaker itself where it is left out. fade_s: 0 switches
   * the fades off. horizon_s: everything up to then is scheduled at once, which is what an OfflineAudioContext needs.
   */
  constructor(context, output = context.destination, { fade_s = FADE_S, horizon_s = null } = {}) {
    const isOffline = context instanceof OfflineAudioContext;
    Object.assign(this, { context, output, fade_s, isOffline });
    this.horizon_s = horizon_s ?? (isOffline ? context.length / context.sampleRate : null);
    this.parts = {};
    this.playing = null;
  }

  /** name: "reference" or "voice"; buffer: AudioBuffer or null; offset_s: where the fragment begins in it; rate: its pace. */
  load(name, buffer, offset_s = 0, rate = 1) {
    this.stop();
    this.parts[name] = buffer && { buffer, offset_s, rate, gain: gainFor(buffer) };
  }

  /** Moves a loaded part without loading it anew. What plays goes on from where it is, with the part in its new place. */
  move(name, offset_s) {
    this.parts[name].offset_s = offset_s;
    this.goOn();
  }

  has(which) {
    return which === "both" ? this.has("reference") && this.has("voice") : Boolean(this.parts[which]);
  }

  /** 1, or less for slower. It is that of a tape: the pitch falls with it. What plays goes on from where it is. */
  get speed() {
    return this.#speed;
  }

  set speed(speed) {
    this.#speed = speed;
    this.goOn();
  }

  /** The fragment's second that is heard now. */
  get now_s() {
    if (!this.playing) return null;
    let { pass } = this.playing;
    if (!pass) return this.playing.at_s;
    const heard = (this.context.currentTime - (this.context.outputLatency || 0)) * this.context.sampleRate;
    // Just after a change the pass before it is still what is heard.
    while (pass.before && heard < pass.first) pass = pass.before;
    pass.before = null;
    return placeAt(pass, heard);
  }

  /**
   * Plays the fragment's seconds from_s to to_s, once or (loop) until it is stopped; at_s: where between them it begins.
   * which: "reference", "voice" or "both". Without to_s it goes on to the end of the sound, a loop to the end of the
   * reference. ended is called once, when it is over or stopped. On a context that runs all is scheduled when this
   * returns. Resolves to whether it plays: it may have been stopped while the browser still thought about sound.
   */
  async play(which, { from_s = firstOf(which), to_s, at_s = from_s, loop = false, ended = () => {} } = {}) {
    this.stop();
    if (!this.has(which)) return false;
    const end_s = to_s ?? (loop ? endOf(this.parts.reference ?? this.parts.voice) : Infinity);
    const region = { from_s, to_s: loop ? Math.max(end_s, from_s + SHORTEST_S) : end_s, loop };
    const playing = { which, region, at_s, ended, pass: null };
    this.playing = playing;
    if (!this.isOffline && this.context.state !== "running") await this.woken(playing);
    if (this.playing === playing) this.begin(() => playing.at_s);
    return this.playing === playing;
  }

  async woken(playing) {
    try {
      await this.context.resume();
    } catch (error) {
      if (this.playing === playing) this.stop();
      throw error;
    }
  }

  /** What plays goes on from the fragment's second s, within its loop where it loops. */
  seek(s) {
    if (!this.playing) return;
    const { region } = this.playing;
    if (!region.loop) region.from_s = Math.min(region.from_s, s);
    const inside = Math.max(region.from_s, s);
    this.playing.at_s = inside < region.to_s || !region.loop ? inside : region.from_s;
    if (this.playing.pass) this.begin(() => this.playing.at_s);
  }

  /** Schedules anew what plays, from where it is: after a change of speed or place. */
  goOn() {
    const pass = this.playing?.pass;
    if (pass) this.begin((first) => placeAt(pass, first));
  }

  stop() {
    if (!this.playing) return;
    const { pass, ended } = this.playing;
    this.playing = null;
    clearInterval(this.timer);
    if (pass) this.cut(pass, this.frameIn(STOP_S));
    ended();
  }

  // --- passes: begun in time, kept going, cut

  frameIn(seconds) {
    return frameOf(this.context.currentTime + seconds, this.context.sampleRate);
  }

  /** Begins a pass as soon as possible; placeOf says where, for the frame at which it begins. The one before ends there. */
  begin(placeOf) {
    const { playing } = this;
    const before = playing.pass;
    let pass = null;
    // The clock runs meanwhile. A pass that was scheduled too late would begin out of step, so it makes way for another.
    for (let soon_s = SOON_S; !pass || (soon_s <= MOST_SOON_S && this.isLate(pass)); soon_s *= 2) {
      pass?.out.disconnect();
      pass = this.open(placeOf, this.frameIn(soon_s));
      this.fill(pass);
    }
    if (before) this.cut(before, pass.first);
    playing.pass = Object.assign(pass, { before });
    clearInterval(this.timer);
    if (pass.loop && this.horizon_s === null) this.timer = setInterval(() => this.lookAfter(pass), LOOK_MS);
    // Nothing to be heard from there on: no source will say that it has ended.
    setTimeout(() => this.endAfter(pass));
  }

  isLate(pass) {
    return !this.isOffline && this.frameIn(0) + QUANTUM >= pass.first;
  }

  open(placeOf, first) {
    const { which, region } = this.playing;
    const alone = which !== "both";
    const names = alone ? [which] : ["reference", "voice"];
    // Frames for a second of the fragment.
    const pace = (this.context.sampleRate * (which === "voice" ? this.parts.voice.rate : 1)) / this.#speed;
    const out = new GainNode(this.context);
    out.connect(this.output);
    const ways = names.map((name) => this.way(this.parts[name], out, alone ? 0 : { reference: -PAN, voice: PAN }[name]));
    return { ...passThrough(region, pace, placeOf(first), first), out, ways, next: 0, soonest: first, sources: new Set() };
  }

  /** Where a part's sources lead to, and the part as it is now. */
  way(part, out, pan) {
    const into = new GainNode(this.context, { gain: part.gain });
    into.connect(new StereoPannerNode(this.context, { pan })).connect(out);
    return { ...part, into, frames: part.buffer.length, sampleRate: part.buffer.sampleRate };
  }

  /** Schedules the rounds that are due before long. */
  fill(pass) {
    const until = this.horizon_s === null ? this.frameIn(AHEAD_S) : frameOf(this.horizon_s, this.context.sampleRate);
    for (const round of rounds(pass, pass.next, until)) {
      pass.next = round.n + 1;
      for (const way of pass.ways) {
        const found = entry(way, pass, round, pass.soonest);
        if (found) this.sound(pass, way, found);
      }
    }
  }

  lookAfter(pass) {
    // After a long sleep of the page rounds are overdue: they are entered where they are by now.
    pass.soonest = Math.max(pass.soonest, this.frameIn(SOON_S));
    this.fill(pass);
  }

  sound(pass, { buffer, rate, into }, { when, frame, end }) {
    const clock = this.context.sampleRate;
    const source = new AudioBufferSourceNode(this.context, { buffer, playbackRate: (rate * clock) / pass.pace });
    const edge = new GainNode(this.context);
    source.connect(edge).connect(into);
    source.start(when / clock, frame / buffer.sampleRate);
    if (end !== Infinity) source.stop((end - EARLY) / clock);
    this.soften(edge.gain, when / clock, end / clock);
    const sound = { source, when, end };
    pass.sources.add(sound);
    source.addEventListener("ended", () => {
      edge.disconnect();
      pass.sources.delete(sound);
      this.endAfter(pass);
    });
  }

  /** Ramps at both ends of a source. They change how loud it is, never when. */
  soften(gain, begin_s, end_s) {
    const fade_s = Math.min(this.fade_s, (end_s - begin_s) / 2);
    if (!fade_s) return;
    gain.setValueAtTime(0, begin_s).linearRampToValueAtTime(1, begin_s + fade_s);
    if (end_s !== Infinity) gain.setValueAtTime(1, end_s - fade_s).linearRampToValueAtTime(0, end_s);
  }

  /** Ends a pass at a frame. What follows there fades in as this fades out: the sum of the same sound is the sound. */
  cut(pass, frame) {
    const clock = this.context.sampleRate;
    const last = frame + Math.ceil(this.fade_s * clock);
    if (this.fade_s) pass.out.gain.setValueAtTime(1, frame / clock).linearRampToValueAtTime(0, frame / clock + this.fade_s);
    for (const { source, when, end } of pass.sources) {
      // What would only begin by then never does.
      source.stop(Math.max(0, Math.min(end, when < frame ? last : when) - EARLY) / clock);
    }
  }

  endAfter(pass) {
    if (!pass.loop && !pass.sources.size && this.playing?.pass === pass) this.stop();
  }
}
