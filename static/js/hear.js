// One sound, or several after one another, heard whole: whoever starts the next one ends the one before.

import { getBytes } from "./api.js";

export class Hearing {
  /** onStart: called before anything sounds, to quieten what else plays. */
  constructor(context, { onStart = () => {} } = {}) {
    this.context = context;
    this.onStart = onStart;
    this.now = null;
  }

  /** Ends what sounds. */
  stop() {
    this.now?.source?.stop();
    this.now?.button?.setAttribute("aria-pressed", "false");
    this.now = null;
  }

  /** Plays what lies at these paths, one after the other; the same again ends it. button: shown as pressed meanwhile. */
  async toggle(paths, button) {
    const isSame = this.now !== null && this.now.paths.join() === paths.join() && this.now.button === button;
    this.stop();
    this.onStart();
    if (isSame) return;
    const turn = { paths, button, source: null };
    this.now = turn;
    button?.setAttribute("aria-pressed", "true");
    try {
      const [, ...sounds] = await Promise.all([this.context.resume(), ...paths.map((path) => this.read(path))]);
      for (const sound of sounds) if (this.now === turn) await this.play(sound, turn);
    } finally {
      if (this.now === turn) this.stop();
    }
  }

  async read(path) {
    return this.context.decodeAudioData(await getBytes(path));
  }

  /** Until its end, or until it is stopped. */
  play(buffer, turn) {
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.context.destination);
    turn.source = source;
    return new Promise((resolve) => {
      source.addEventListener("ended", resolve, { once: true });
      source.start();
    });
  }
}
