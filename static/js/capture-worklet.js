// Hands the microphone's samples to the page, stamped with the frame number of the AudioContext's clock.
// A quantum without input sends nothing: the frames that never came are the gaps of a take.

const BLOCK = 1024; // frames; about 21 ms at 48 kHz

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.begin(0);
  }

  begin(frame) {
    this.block = new Float32Array(BLOCK);
    this.first = frame;
    this.filled = 0;
  }

  flush() {
    if (!this.filled) return;
    const samples = this.filled === BLOCK ? this.block : this.block.slice(0, this.filled);
    this.port.postMessage({ frame: this.first, samples }, [samples.buffer]);
    this.begin(this.first + this.filled);
  }

  process(inputs) {
    const channel = inputs[0][0];
    if (!channel || currentFrame !== this.first + this.filled) {
      this.flush();
      this.begin(currentFrame);
    }
    if (!channel) return true;
    this.block.set(channel, this.filled);
    this.filled += channel.length;
    if (this.filled + channel.length > BLOCK) this.flush();
    return true;
  }
}

registerProcessor("capture", Capture);
