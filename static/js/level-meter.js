// How loud the microphone is: bars that run through, and a word.

import { fitCanvas } from "./curve.js";
import { rms } from "./pitch.js";
import { decibels, levelWord, peakOf } from "./take-check.js";
import { METER_FLOOR_DB, METER_TOP_DB, NOTHING_DB, WORD_MS } from "./take-limits.js";

const BARS = 12;
const BLOCKS_A_BAR = 3;

export class LevelMeter {
  /** box gets data-kind; canvas the bars; word the word. */
  constructor({ box, canvas, word }) {
    Object.assign(this, { box, canvas, word });
    this.levels = Array(BARS).fill(NOTHING_DB);
    this.gathered = [];
    this.since = 0;
    this.loudest = { db: NOTHING_DB, peak: 0 };
  }

  /** One block of samples. */
  hear({ samples }) {
    const db = decibels(rms(samples));
    this.loudest = { db: Math.max(this.loudest.db, db), peak: Math.max(this.loudest.peak, peakOf(samples)) };
    this.gathered.push(db);
    if (this.gathered.length < BLOCKS_A_BAR) return;
    this.levels = [...this.levels.slice(1), Math.max(...this.gathered)];
    this.gathered = [];
    this.draw();
    this.say();
  }

  say() {
    if (performance.now() - this.since < WORD_MS) return;
    const { word, kind } = levelWord(this.loudest.db, this.loudest.peak);
    if (this.word.textContent !== word) this.word.textContent = word;
    this.box.dataset.kind = kind;
    this.since = performance.now();
    this.loudest = { db: NOTHING_DB, peak: 0 };
  }

  draw() {
    if (!this.canvas.clientWidth) return;
    const { pen, width, height } = fitCanvas(this.canvas);
    const step = width / BARS;
    pen.fillStyle = getComputedStyle(this.box).color;
    this.levels.forEach((db, k) => {
      const share = Math.min(1, Math.max(0, (db - METER_FLOOR_DB) / (METER_TOP_DB - METER_FLOOR_DB)));
      const bar = Math.max(2, share * height);
      pen.fillRect(k * step + 1, height - bar, step - 2, bar);
    });
  }
}
