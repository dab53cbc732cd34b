// The singer's pitch as it comes in, as a curve on the phrase's clock.

import { PitchTracker } from "./pitch.js";

const HOP_S = 0.02;

export class LiveVoice {
  /** firstFrame: where the take begins; zeroFrame: where the phrase begins; late_s: what the ear hears later than the clock. */
  constructor({ rate, firstFrame, zeroFrame }, late_s = 0) {
    this.tracker = new PitchTracker(rate, HOP_S);
    this.expected = firstFrame;
    this.zero_s = (zeroFrame - firstFrame) / rate;
    this.curve = { hop_s: HOP_S, start_s: -this.zero_s - late_s, pitch: [] };
  }

  /** One block {frame, samples}; frames that never came count as silence, so that time stays true. */
  push({ frame, samples }) {
    const skip = Math.max(0, this.expected - frame);
    if (skip >= samples.length) return;
    const missing = Math.max(0, frame - this.expected);
    if (missing) this.curve.pitch.push(...this.tracker.push(new Float32Array(missing)));
    this.curve.pitch.push(...this.tracker.push(samples.subarray(skip)));
    this.expected = frame + samples.length;
  }

  /** The same curve on the take's own clock. */
  get inTake() {
    return { ...this.curve, start_s: 0 };
  }
}
