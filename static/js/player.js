// The reference and a voice on one AudioContext: either alone or both in step, to the sample. Time is the fragment's:
// second u of the reference is heard in the voice at offset_s + u * rate. Alone the voice keeps its own pace; together
// it is played at `rate` times its speed, so that both are in step (and its pitch moves with it).

// Both begin a little before the first note, so that a voice that is early is heard whole. Seconds.
const LEAD_S = 0.25;

// Time for the browser to schedule a start, seconds.
const SOON_S = 0.06;

// Both are brought to this peak, at most so many times louder.
const PEAK = 0.7;
const MOST_GAIN = 12;

// Together: the reference to the left, the voice to the right.
const PAN = 0.55;

function gainFor(buffer) {
  let peak = 1e-4;
  for (const sample of buffer.getChannelData(0)) peak = Math.max(peak, Math.abs(sample));
  return Math.min(MOST_GAIN, PEAK / peak);
}

export class Duet {
  /** output: the node that everything is heard through; the loudspeaker itself where it is left out. */
  constructor(context, output = context.destination) {
    Object.assign(this, { context, output });
    this.parts = {};
    this.playing = null;
  }

  /** name: "reference" or "voice"; buffer: AudioBuffer or null; offset_s: where the fragment begins in it; rate: its pace. */
  load(name, buffer, offset_s = 0, rate = 1) {
    this.stop();
    this.parts[name] = buffer && { buffer, offset_s, rate, gain: gainFor(buffer) };
  }

  /** Moves a loaded part without loading it anew. */
  move(name, offset_s) {
    this.stop();
    this.parts[name].offset_s = offset_s;
  }

  has(which) {
    return which === "both" ? this.has("reference") && this.has("voice") : Boolean(this.parts[which]);
  }

  /** The fragment's second that is heard now. */
  get now_s() {
    if (!this.playing) return null;
    const real = this.context.currentTime - (this.context.outputLatency || 0) - this.playing.zero;
    return this.playing.which === "voice" ? real / this.parts.voice.rate : real;
  }

  /** which: "reference", "voice" or "both". ended is called when it is over or stopped. */
  async play(which, { from_s = which === "reference" ? 0 : -LEAD_S, ended = () => {} } = {}) {
    this.stop();
    await this.context.resume();
    const pace = which === "voice" ? this.parts.voice.rate : 1;
    const zero = this.context.currentTime + SOON_S - from_s * pace;
    const names = which === "both" ? ["reference", "voice"] : [which];
    const sources = names.map((name) => this.start(this.parts[name], zero, from_s, which === "both" ? (name === "voice" ? PAN : -PAN) : null));
    this.playing = { which, zero, sources, ended };
    this.endAfter(sources, this.playing);
  }

  /** pan: null where the part plays alone, in the middle and at its own pace. */
  start({ buffer, offset_s, rate, gain }, zero, from_s, pan) {
    const together = pan !== null;
    const source = new AudioBufferSourceNode(this.context, { buffer, playbackRate: together ? rate : 1 });
    const panner = new StereoPannerNode(this.context, { pan: pan ?? 0 });
    source.connect(new GainNode(this.context, { gain })).connect(panner).connect(this.output);
    const first = Math.max(from_s, -offset_s / rate);
    source.start(zero + first * (together ? 1 : rate), Math.max(0, offset_s + from_s * rate));
    return source;
  }

  endAfter(sources, playing) {
    let left = sources.length;
    for (const source of sources) {
      source.addEventListener("ended", () => {
        left -= 1;
        if (!left && this.playing === playing) this.stop();
      });
    }
  }

  stop() {
    if (!this.playing) return;
    const { sources, ended } = this.playing;
    this.playing = null;
    sources.forEach((source) => source.stop());
    ended();
  }
}
