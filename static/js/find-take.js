// A hum without a melody to follow: from now on until it is stopped, or for the most that a search takes.

import { assemble, ClockWatch } from "./studio.js";
import { encodeWav } from "./wav.js";

// Searches are sent at this rate at most, Hz: a voice's melody lies under 1 kHz, and a hum that is given to the collection
// still has twice the band of a telephone call. Half of what a microphone gives is half the wait on a slow connection.
const SENT_RATE = 24_000;

export class FreeTake {
  /** Begins with the next block. It ends by itself after most_s seconds, or where the sound is interrupted. */
  constructor(studio, most_s) {
    this.studio = studio;
    this.rate = studio.context.sampleRate;
    this.firstFrame = studio.frameAt(studio.context.currentTime);
    this.zeroFrame = this.firstFrame;
    this.endFrame = this.firstFrame + studio.frameAt(most_s);
    this.reached = this.firstFrame;
    this.blocks = [];
    this.watch = new ClockWatch();
    this.done = new Promise((resolve) => { this.finish = resolve; });
    this.unhear = studio.hear((block) => this.take(block));
    this.unbreak = studio.whenBroken((reason) => this.end(reason));
  }

  take(block) {
    if (this.watch.stood(this.studio.context.currentTime, performance.now() / 1000)) {
      this.end("interrupted");
      return;
    }
    this.blocks.push(block);
    this.reached = Math.min(this.endFrame, block.frame + block.samples.length);
    if (this.reached >= this.endFrame) this.end(null);
  }

  /** How much was heard so far, seconds. */
  get heard_s() {
    return Math.max(0, this.reached - this.firstFrame) / this.rate;
  }

  /** What was heard so far; sound that never came is silence. */
  get samples() {
    return assemble(this.blocks, this.firstFrame, Math.max(this.firstFrame, this.reached)).samples;
  }

  /** Ends it. `done` gives {samples, sampleRate, interrupted}: null, or why it ended before its time. */
  stop() {
    this.end(null);
  }

  /** Ends it for nothing: `done` gives null. */
  cancel() {
    this.silence();
    this.finish(null);
  }

  end(interrupted) {
    this.silence();
    this.finish({ samples: this.samples, sampleRate: this.rate, interrupted });
  }

  silence() {
    this.unhear();
    this.unbreak();
  }
}

/** Samples as a WAV file to send, at SENT_RATE or the lower rate that they have. */
export async function wavToSend(samples, sampleRate) {
  const wav = encodeWav(samples, sampleRate);
  if (sampleRate <= SENT_RATE) return new Blob([wav], { type: "audio/wav" });
  // Decoding is the one way in which every browser resamples well: with a filter that lets nothing fold over.
  const lighter = await new OfflineAudioContext(1, 1, SENT_RATE).decodeAudioData(wav);
  return new Blob([encodeWav(lighter.getChannelData(0), SENT_RATE)], { type: "audio/wav" });
}
