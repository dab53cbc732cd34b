// Microphone and reference on one AudioContext, so that both have one clock: frame numbers of that context.

import { kindOf, makeProbe, measureLoopback, notMeasured } from "./sound-check.js";
import { CLOCK_STOOD_S, MOST_LATENCY_S, PATIENCE_S, WAKE_MS } from "./take-limits.js";

// Recorded before the first note and after the last, seconds. What lies before also tells the room's noise.
const BEFORE_S = 0.5;
const AFTER_S = 1;

// Without the reference to follow, people are slower: a take may last this much longer than the phrase.
const FREE_FACTOR = 1.6;
const FREE_EXTRA_S = 2;

const BEATS = 3;
const BEAT_S = 0.6;
const TICK_HZ = 1320;
const TICK_S = 0.05;
const TICK_GAIN = 0.12;
const SOON_S = 0.12;

// How long to wait for the last block after stopping, ms.
const LAST_BLOCK_MS = 400;

// A probe that ended for one of these is not tried again.
const GIVEN_UP = ["cancelled", "ended", "interrupted"];

const WANTED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: { ideal: 1 } };
const PROCESSING = ["echoCancellation", "noiseSuppression", "autoGainControl"];

// These name the device or its owner ("Ann's headset"); they have no place in a dataset.
const PRIVATE_SETTINGS = ["deviceId", "groupId"];

/** Why there is no microphone: a code and the browser's own word. */
export class NoMicrophone extends Error {
  constructor(code, detail) {
    super(detail);
    this.name = "NoMicrophone";
    this.code = code;
  }
}

const MICROPHONE_ERRORS = {
  NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "none", OverconstrainedError: "none",
  NotReadableError: "busy", AbortError: "busy",
};

async function askMicrophone() {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new NoMicrophone("insecure", "no mediaDevices");
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: WANTED });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw new NoMicrophone(MICROPHONE_ERRORS[error.name] ?? "busy", error.message);
  }
}

function withoutNames(settings) {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !PRIVATE_SETTINGS.includes(name)));
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Waits until the context runs, or as long as is reasonable; says whether it does. */
async function awake(context) {
  const refused = (error) => { if (!(error instanceof DOMException)) throw error; };
  if (context.state !== "running") await Promise.race([context.resume().catch(refused), pause(WAKE_MS)]);
  return context.state === "running";
}

export class Studio {
  /**
   * Asks for the microphone. Call it from a click: browsers start sound only then. Throws NoMicrophone.
   * microphone(context, output) gives a MediaStream or an AudioNode: tests put their own here. sampleRate: the context's,
   * the sound card's where it is left out.
   */
  static async open({ microphone = askMicrophone, sampleRate } = {}) {
    const studio = new Studio(microphone, sampleRate);
    await studio.build();
    return studio;
  }

  constructor(microphone, sampleRate) {
    Object.assign(this, { microphone, sampleRate, heard: null });
    this.listeners = new Set();
    this.breaks = new Set();
    this.renewals = new Set();
  }

  /** A context with its microphone. `heard`, a stream that still runs, is taken over. */
  async build() {
    const context = new AudioContext({ latencyHint: "interactive", sampleRate: this.sampleRate });
    let { heard } = this;
    try {
      // Safari turns loudspeakers down to a whisper while recording unless told so.
      if (navigator.audioSession) navigator.audioSession.type = "play-and-record";
      // Everything that the studio plays goes through here.
      const output = new GainNode(context);
      output.connect(context.destination);
      heard ??= await this.microphone(context, output);
      await context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
      if (!await awake(context)) throw new NoMicrophone("busy", `the sound is ${context.state}`);
      this.connect(context, output, heard);
    } catch (error) {
      if (heard instanceof MediaStream && heard !== this.heard) heard.getTracks().forEach((track) => track.stop());
      await context.close();
      throw error;
    }
  }

  connect(context, output, heard) {
    const isStream = heard instanceof MediaStream;
    Object.assign(this, { context, output });
    const source = isStream ? new MediaStreamAudioSourceNode(context, { mediaStream: heard }) : heard;
    const node = new AudioWorkletNode(context, "capture", { numberOfInputs: 1, numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit" });
    node.port.onmessage = ({ data }) => this.listeners.forEach((listen) => listen(data));
    // The worklet runs only while it leads to the loudspeaker; its output is silence.
    source.connect(node).connect(context.destination);
    // A browser may collect a source that nothing refers to, and with it the sound.
    this.nodes = [source, node];
    context.addEventListener("statechange", () => { if (context.state !== "running") this.break("interrupted"); });
    if (isStream && this.heard !== heard) this.follow(heard.getAudioTracks()[0]);
    this.heard = isStream ? heard : null;
  }

  /** The track of the microphone, and what becomes of it. */
  follow(track) {
    this.track = track;
    this.settings = withoutNames(track.getSettings());
    track.addEventListener("mute", () => this.break("muted"));
    // The page may want to say so itself first.
    track.addEventListener("ended", () => setTimeout(() => this.break("ended")));
  }

  break(reason) {
    [...this.breaks].forEach((listen) => listen(reason));
  }

  /** listen("interrupted", "muted" or "ended") when sound stops coming; returns a function that ends it. */
  whenBroken(listen) {
    this.breaks.add(listen);
    return () => this.breaks.delete(listen);
  }

  /** listen(context) when a new context had to be made; returns a function that ends it. */
  whenRenewed(listen) {
    this.renewals.add(listen);
    return () => this.renewals.delete(listen);
  }

  /**
   * Sees to it that the context runs. One that sleeps is woken; where it does not wake (a telephone call on iOS, a sound
   * card that went) a new one is made with the same microphone. Throws NoMicrophone.
   */
  async wake() {
    if (this.track?.readyState === "ended") throw new NoMicrophone("gone", "the track ended");
    if (await awake(this.context)) return;
    if (this.context.state !== "closed") await this.context.close();
    await this.build();
    this.renewals.forEach((listen) => listen(this.context));
  }

  /** Which of the browser's voice processing stayed on although we asked it off. */
  get processing() {
    return PROCESSING.filter((name) => this.settings?.[name] === true);
  }

  /** listen({frame, samples}) for every block; returns a function that ends it. */
  hear(listen) {
    this.listeners.add(listen);
    return () => this.listeners.delete(listen);
  }

  frameAt(seconds) {
    return Math.round(seconds * this.context.sampleRate);
  }

  /**
   * Begins a take. reference: AudioBuffer; mode "along" plays it while recording, "after" before (or not at all when
   * `heard`). The Take says by its clock what is under way.
   */
  async record({ reference, mode, heard = false }) {
    await this.wake();
    const start = this.context.currentTime + SOON_S;
    const listen_s = mode === "after" && !heard ? reference.duration + BEAT_S : 0;
    const count = start + listen_s;
    const first = this.frameAt(count + BEATS * BEAT_S);
    const sources = this.ticks(count);
    if (listen_s) sources.push(this.play(reference, start));
    if (mode === "along") sources.push(this.play(reference, first / this.context.sampleRate));
    return new Take(this, { mode, start, count, first, sources, reference });
  }

  play(buffer, when) {
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.output);
    source.start(when);
    return source;
  }

  ticks(when) {
    return Array.from({ length: BEATS }, (_, beat) => {
      const at = when + beat * BEAT_S;
      const tick = new OscillatorNode(this.context, { frequency: TICK_HZ });
      const gain = new GainNode(this.context, { gain: 0 });
      gain.gain.setValueAtTime(TICK_GAIN, at);
      gain.gain.exponentialRampToValueAtTime(1e-4, at + TICK_S);
      tick.connect(gain).connect(this.output);
      tick.start(at);
      tick.stop(at + TICK_S);
      return tick;
    });
  }

  /**
   * The microphone from frame `first` to `end`: {samples, gaps, reason}. reason: null, or why it ended before: the word of
   * whenBroken, "late" where blocks stopped coming, "cancelled" by the AbortSignal.
   */
  gather(first, end, signal) {
    return new Promise((resolve) => {
      const blocks = [];
      const finish = (reason) => {
        [unhear, unbreak].forEach((stop) => stop());
        clearTimeout(timer);
        signal?.removeEventListener("abort", cancel);
        resolve({ ...assemble(blocks, first, end), reason });
      };
      const cancel = () => finish("cancelled");
      const unhear = this.hear((block) => {
        const reached = block.frame + block.samples.length;
        if (reached > first) blocks.push(block);
        if (reached >= end) finish(null);
      });
      const unbreak = this.whenBroken(finish);
      const left_s = end / this.context.sampleRate - this.context.currentTime;
      const timer = setTimeout(() => finish("late"), 1000 * (left_s + PATIENCE_S));
      signal?.addEventListener("abort", cancel);
      if (signal?.aborted) cancel();
    });
  }

  /** Samples of the microphone from now on, for so many seconds; {samples, gaps, reason} as of gather. */
  async hearFor(seconds, signal) {
    await this.wake();
    const first = this.frameAt(this.context.currentTime);
    return this.gather(first, first + this.frameAt(seconds), signal);
  }

  /** The microphone's samples for so many seconds, for bandwidthOf. */
  async listen(seconds) {
    return (await this.hearFor(seconds)).samples;
  }

  /**
   * Plays the short quiet sound and listens for it: what measureLoopback gives, and `samples`, what the microphone heard
   * from the sound's first frame on. Where that tells nothing it is played once more: a stream that has just begun may
   * still shift its delay, and a cough passes. Never throws for what the microphone does: `reason` says why nothing was
   * measured.
   */
  async probe({ signal } = {}) {
    const first = await this.probeOnce(signal);
    return kindOf(first) === "unsure" && !GIVEN_UP.includes(first.reason) ? this.probeOnce(signal) : first;
  }

  async probeOnce(signal) {
    try {
      await this.wake();
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      return { ...notMeasured(error.code === "gone" ? "ended" : "interrupted"), samples: new Float32Array(0) };
    }
    const { sampleRate } = this.context;
    const probe = makeProbe(sampleRate);
    const first = this.frameAt(this.context.currentTime + SOON_S);
    const buffer = new AudioBuffer({ length: probe.samples.length, sampleRate });
    buffer.copyToChannel(probe.samples, 0);
    const source = this.play(buffer, first / sampleRate);
    const { samples, reason } = await this.gather(first, first + buffer.length + this.frameAt(MOST_LATENCY_S), signal);
    source.stop();
    if (reason) return { ...notMeasured(reason), samples };
    return { ...await measureLoopback(samples, probe, sampleRate, { to_s: MOST_LATENCY_S }), samples };
  }

  /**
   * Names this microphone, for what this device remembers of it. It never leaves the device. The browser's "default" is
   * now this and now that microphone; their groups tell them apart.
   */
  deviceKey() {
    const { deviceId = "", groupId = "" } = this.track?.getSettings() ?? {};
    return `microphone:${groupId}:${deviceId}`;
  }

  /** Facts about the stream that go with a take. */
  facts() {
    const { sampleRate, baseLatency, outputLatency } = this.context;
    return {
      sample_rate: sampleRate,
      base_latency_s: baseLatency ?? null,
      output_latency_s: outputLatency ?? null,
      input_latency_s: this.track?.getSettings().latency ?? null,
    };
  }

  async close() {
    this.break("ended");
    this.track?.stop();
    if (this.context.state !== "closed") await this.context.close();
  }
}

/** One take under way: listening, counting in, humming. */
class Take {
  constructor(studio, { mode, start, count, first, sources, reference }) {
    const rate = studio.context.sampleRate;
    Object.assign(this, { studio, mode, start, count, sources, rate, phrase_s: reference.duration });
    this.zeroFrame = first; // the reference's first frame, or where its first note is due
    this.firstFrame = first - Math.round(BEFORE_S * rate);
    const length_s = mode === "along" ? this.phrase_s + AFTER_S : this.phrase_s * FREE_FACTOR + FREE_EXTRA_S;
    this.endFrame = first + Math.round(length_s * rate);
    this.blocks = [];
    this.interrupted = null;
    this.watch = new ClockWatch();
    this.done = new Promise((resolve) => { this.finish = resolve; });
    this.unhear = studio.hear((block) => this.take(block));
    this.unbreak = studio.whenBroken((reason) => this.interrupt(reason));
  }

  take(block) {
    if (this.watch.stood(this.studio.context.currentTime, performance.now() / 1000)) {
      this.interrupt("interrupted");
      return;
    }
    if (block.frame + block.samples.length > this.firstFrame) this.blocks.push(block);
    if (block.frame + block.samples.length >= this.endFrame) this.end();
  }

  /** Second of the phrase that is heard now; negative before it. */
  get now_s() {
    const { currentTime, outputLatency } = this.studio.context;
    return currentTime - (outputLatency || 0) - this.zeroFrame / this.rate;
  }

  /** {phase: "listen", "count" or "hum", left: beats until the first note, listen_s: second of the melody played before}. */
  get progress() {
    const { currentTime } = this.studio.context;
    if (currentTime < this.count) return { phase: "listen", left: BEATS, listen_s: currentTime - this.start };
    const left = Math.ceil((this.zeroFrame / this.rate - currentTime) / BEAT_S);
    return left > 0 ? { phase: "count", left: Math.min(left, BEATS) } : { phase: "hum", left: 0 };
  }

  /** Seconds until it ends by itself. */
  get left_s() {
    return this.endFrame / this.rate - this.studio.context.currentTime;
  }

  /** Ends the take here. Before the first note is due there is none: `done` gives null. */
  stop() {
    const now = this.studio.frameAt(this.studio.context.currentTime);
    if (now <= this.zeroFrame) return this.cancel();
    this.endFrame = Math.min(this.endFrame, now);
    // The last block is on its way; a track that died sends none.
    setTimeout(() => this.end(), LAST_BLOCK_MS);
    return this.done;
  }

  /**
   * The sound stopped coming: the take ends with the last block, as what follows would be on another clock or silence.
   * Before the first note is due there is none.
   */
  interrupt(reason) {
    const last = this.blocks.at(-1);
    const reached = last ? last.frame + last.samples.length : 0;
    if (reached <= this.zeroFrame) {
      this.cancel();
      return;
    }
    this.interrupted = reason;
    this.endFrame = Math.min(this.endFrame, reached);
    this.end();
  }

  cancel() {
    this.silence();
    this.finish(null);
    return this.done;
  }

  silence() {
    this.unhear();
    this.unbreak();
    this.sources.forEach((source) => source.stop());
  }

  end() {
    this.silence();
    this.finish(this.recorded());
  }

  /**
   * The samples from firstFrame to endFrame; frames that never came are zeros, and are listed as gaps. interrupted: null,
   * or why the take ended by itself before its time.
   */
  recorded() {
    const { samples, gaps } = assemble(this.blocks, this.firstFrame, this.endFrame);
    return {
      samples,
      sampleRate: this.rate,
      gaps,
      mode: this.mode,
      zero_s: (this.zeroFrame - this.firstFrame) / this.rate,
      referenceStartFrame: this.mode === "along" ? this.zeroFrame - this.firstFrame : null,
      interrupted: this.interrupted,
    };
  }
}

// The audio clock goes in steps, of up to 0.1 s where the sound card wants much at once: so many readings count together.
const READINGS = 12;

/**
 * Whether the audio clock stood still while time went on, as it does in a tab put to sleep: nothing is missing by the
 * frame numbers then, and yet something was not heard.
 */
export class ClockWatch {
  constructor() {
    Object.assign(this, { recent: [], least: null });
  }

  /** Told both times again and again; true once the clock has fallen behind. */
  stood(audio_s, real_s) {
    this.recent = [...this.recent, real_s - audio_s].slice(-READINGS);
    if (this.recent.length < READINGS) return false;
    const behind_s = Math.min(...this.recent);
    this.least = Math.min(this.least ?? behind_s, behind_s);
    return behind_s - this.least > CLOCK_STOOD_S;
  }
}

/** Blocks {frame, samples} laid on one line from first to end. gaps: [{frame, frames}], frame counted from first. */
export function assemble(blocks, first, end) {
  const samples = new Float32Array(end - first);
  const gaps = [];
  let reached = first;
  for (const block of blocks) {
    if (block.frame > reached) gaps.push({ frame: reached - first, frames: Math.min(block.frame, end) - reached });
    const skip = Math.max(0, first - block.frame);
    const part = block.samples.subarray(skip, Math.max(skip, end - block.frame));
    if (block.frame + skip < end) samples.set(part, block.frame + skip - first);
    reached = Math.max(reached, Math.min(end, block.frame + block.samples.length));
    if (reached >= end) break;
  }
  if (reached < end) gaps.push({ frame: reached - first, frames: end - reached });
  return { samples, gaps: gaps.filter((gap) => gap.frames > 0) };
}
