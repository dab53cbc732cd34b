// Microphone and reference on one AudioContext, so that both have one clock: frame numbers of that context.

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

export class Studio {
  /** Asks for the microphone. Call it from a click: browsers start sound only then. Throws NoMicrophone. */
  static async open() {
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      // Safari turns loudspeakers down to a whisper while recording unless told so.
      if (navigator.audioSession) navigator.audioSession.type = "play-and-record";
      const stream = await askMicrophone();
      await context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
      await context.resume();
      return new Studio(context, stream);
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  constructor(context, stream) {
    this.context = context;
    this.track = stream.getAudioTracks()[0];
    this.settings = withoutNames(this.track.getSettings());
    this.listeners = new Set();
    this.node = new AudioWorkletNode(context, "capture", { numberOfInputs: 1, numberOfOutputs: 1, channelCount: 1, channelCountMode: "explicit" });
    this.node.port.onmessage = ({ data }) => this.listeners.forEach((listen) => listen(data));
    this.source = new MediaStreamAudioSourceNode(context, { mediaStream: stream });
    // The worklet runs only while it leads to the loudspeaker; its output is silence.
    this.source.connect(this.node).connect(context.destination);
  }

  /** Which of the browser's voice processing stayed on although we asked it off. */
  get processing() {
    return PROCESSING.filter((name) => this.settings[name] === true);
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
    await this.context.resume();
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
    source.connect(this.context.destination);
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
      tick.connect(gain).connect(this.context.destination);
      tick.start(at);
      tick.stop(at + TICK_S);
      return tick;
    });
  }

  /** Facts about the stream that go with a take. */
  facts() {
    const { sampleRate, baseLatency, outputLatency } = this.context;
    return { sample_rate: sampleRate, base_latency_s: baseLatency ?? null, output_latency_s: outputLatency ?? null };
  }

  async close() {
    this.track.stop();
    await this.context.close();
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
    this.done = new Promise((resolve) => { this.finish = resolve; });
    this.unhear = studio.hear((block) => this.take(block));
  }

  take(block) {
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

  cancel() {
    this.silence();
    this.finish(null);
    return this.done;
  }

  silence() {
    this.unhear();
    this.sources.forEach((source) => source.stop());
  }

  end() {
    this.silence();
    this.finish(this.recorded());
  }

  /** The samples from firstFrame to endFrame; frames that never came are zeros, and are listed as gaps. */
  recorded() {
    const { samples, gaps } = assemble(this.blocks, this.firstFrame, this.endFrame);
    return {
      samples,
      sampleRate: this.rate,
      gaps,
      mode: this.mode,
      zero_s: (this.zeroFrame - this.firstFrame) / this.rate,
      referenceStartFrame: this.mode === "along" ? this.zeroFrame - this.firstFrame : null,
    };
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
