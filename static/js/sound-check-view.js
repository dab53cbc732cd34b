// The sound check as the singer sees it: is the level right, and are there headphones? What is measured and how stands in
// sound-check.js and studio.js; here are its two steps, its questions, and what is remembered of a device.

import { LevelMeter } from "./level-meter.js";
import { announce, byId, remember, remembered } from "./page.js";
import { rms } from "./pitch.js";
import { bandwidthOf, isNarrow, kindOf } from "./sound-check.js";
import { decibels, levelWord, peakOf } from "./take-check.js";
import * as words from "./hum-words.js";

// Hummed this long at a good level, the first step is done, seconds.
const HUM_S = 0.8;
// Quiet for this long, the sounds come; after so long they come anyway, seconds.
const QUIET_S = 0.6;
const MOST_WAIT_S = 6;
// Advice changes no more often than this, ms: it is read.
const ADVICE_MS = 1200;

const ADVICE = { silent: words.CHECK.silent, quiet: words.CHECK.louder, "too loud": words.CHECK.softer, good: words.CHECK.hum };
const MEMORY = "chad-sound-check";

/** What is remembered of the devices that were checked on this device: {key: kind}. */
function memory() {
  try {
    return Object(JSON.parse(remembered(MEMORY)));
  } catch (error) {
    // What stands there is not ours: then nothing is remembered.
    if (!(error instanceof SyntaxError)) throw error;
    return {};
  }
}

function remind(key, kind) {
  remember(MEMORY, JSON.stringify({ ...memory(), [key]: kind }));
}

const ears = () => byId("check-ears-words");
const mark = (id, step) => { byId(id).dataset.step = step; };

function say(element, sentence) {
  if (element.textContent === sentence) return;
  element.textContent = sentence;
  announce(sentence);
}

/** A question: buttons in a row; resolves with what the pressed one stands for. */
function ask(signal, ...answers) {
  const row = byId("check-answers");
  return new Promise((resolve) => {
    const buttons = answers.map(([text, value]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = text;
      button.addEventListener("click", () => resolve(value));
      return button;
    });
    signal.addEventListener("abort", () => resolve(null));
    row.replaceChildren(...buttons);
    buttons[0].focus({ preventScroll: true });
  }).finally(() => row.replaceChildren());
}

export class SoundCheck {
  /** studio: an open Studio. */
  constructor(studio) {
    this.studio = studio;
    this.bandwidth_hz = null;
    this.narrow = false;
  }

  get key() {
    return this.studio.deviceKey();
  }

  /**
   * Runs the check until it is done or skipped: {kind, latency_s, confidence, leak_db, floor_db, bandwidth_hz}, or null
   * where it was skipped. A device that is known is only listened to once more, as the delay of each stream is another,
   * unless the whole is asked for.
   */
  async run(whole = false) {
    const ended = new AbortController();
    const skip = byId("check-skip");
    const skipped = new Promise((resolve) => { skip.onclick = () => resolve(null); });
    const before = whole ? undefined : memory()[this.key];
    try {
      const result = await Promise.race([before ? this.again(before, ended.signal) : this.whole(ended.signal), skipped]);
      if (result) remind(this.key, result.kind);
      return result;
    } finally {
      ended.abort();
      skip.onclick = null;
      byId("check-done").hidden = true;
      skip.hidden = false;
    }
  }

  async whole(signal) {
    mark("check-voice", "now");
    mark("check-ears", "todo");
    say(byId("check-voice-words"), words.CHECK.hum);
    byId("check-ears-words").textContent = words.CHECK.soft;
    byId("check-done").hidden = true;
    await this.hearHum(signal);
    mark("check-voice", "done");
    mark("check-ears", "now");
    const result = await this.tellEars(signal);
    if (signal.aborted) return null;
    mark("check-ears", "done");
    await this.goOn(signal);
    return result;
  }

  async again(before, signal) {
    mark("check-voice", "done");
    mark("check-ears", "now");
    byId("check-voice-words").textContent = words.CHECK.before;
    say(ears(), words.CHECK.moment);
    const heard = await this.studio.probe({ signal });
    const kind = kindOf({ ...heard, processed: this.studio.processing.length > 0 });
    if (kind === before) return this.result(kind, heard);
    const result = await this.tellEars(signal, heard);
    mark("check-ears", "done");
    await this.goOn(signal);
    return result;
  }

  result(kind, { latency_s = null, confidence = null, leak_db = null, floor_db = null }) {
    const { bandwidth_hz } = this;
    return { kind, latency_s, confidence, leak_db, floor_db, bandwidth_hz };
  }

  /** Resolves when the singer has hummed at a good level; says meanwhile what to do. */
  async hearHum(signal) {
    const meter = new LevelMeter({ box: byId("check-level"), canvas: byId("check-bars"), word: byId("check-level-word") });
    const heard = [];
    let good_s = 0;
    let advised = performance.now();
    await this.hearUntil(signal, ({ samples }) => {
      meter.hear({ samples });
      const db = decibels(rms(samples));
      const { word, code = word } = levelWord(db, peakOf(samples));
      byId("check-level-db").textContent = words.level(db);
      good_s = code === "good" ? good_s + samples.length / this.rate : good_s;
      if (code === "good") heard.push(samples);
      if (performance.now() - advised > ADVICE_MS) {
        advised = performance.now();
        say(byId("check-voice-words"), ADVICE[code] ?? words.CHECK.hum);
      }
      return good_s >= HUM_S;
    });
    if (signal.aborted) return;
    await this.listenToBand(heard);
    say(byId("check-voice-words"), this.narrow ? words.CHECK.narrow : words.CHECK.heard);
  }

  async listenToBand(blocks) {
    const samples = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
    blocks.reduce((at, block) => { samples.set(block, at); return at + block.length; }, 0);
    this.bandwidth_hz = await bandwidthOf(samples, this.rate);
    this.narrow = isNarrow(this.bandwidth_hz, this.studio.settings);
  }

  get rate() {
    return this.studio.context.sampleRate;
  }

  /** Hears blocks until done(block) says true or the check ends. */
  hearUntil(signal, done) {
    return new Promise((resolve) => {
      const unhear = this.studio.hear((block) => { if (done(block)) finish(); });
      const finish = () => { unhear(); resolve(); };
      signal.addEventListener("abort", finish);
    });
  }

  async quiet(signal) {
    let quiet_s = 0;
    let waited_s = 0;
    await this.hearUntil(signal, ({ samples }) => {
      const { word, code = word } = levelWord(decibels(rms(samples)), peakOf(samples));
      const seconds = samples.length / this.rate;
      quiet_s = code === "silent" ? quiet_s + seconds : 0;
      waited_s += seconds;
      return quiet_s >= QUIET_S || waited_s >= MOST_WAIT_S;
    });
  }

  async listenOnce(signal) {
    say(ears(), words.CHECK.quiet);
    await this.quiet(signal);
    if (signal.aborted) return {};
    say(ears(), words.CHECK.playing);
    return this.studio.probe({ signal });
  }

  /** Finds out whether there are headphones: by listening where that tells it, by asking where it does not. */
  async tellEars(signal, heardAlready = null) {
    let heard = heardAlready ?? await this.listenOnce(signal);
    while (!signal.aborted) {
      const kind = kindOf({ ...heard, processed: this.studio.processing.length > 0 });
      if (kind === "loudspeaker") {
        say(ears(), words.loudspeaker(heard.latency_s));
        return this.result(kind, heard);
      }
      const answer = await this.question(kind, signal);
      if (answer === "again") {
        heard = await this.listenOnce(signal);
      } else if (answer) {
        say(ears(), answer === "headphones" ? words.CHECK.headphones : words.CHECK.none);
        // What was not heard has no delay.
        return this.result(answer, { leak_db: heard.leak_db, floor_db: heard.floor_db });
      }
    }
    return null;
  }

  async question(kind, signal) {
    if (kind === "unsure") {
      say(ears(), words.CHECK.unsure);
      return ask(signal, [words.CHECK.again, "again"], [words.CHECK.wear, "headphones"], [words.CHECK.wearNone, "unsure"]);
    }
    say(ears(), words.CHECK.didYouHear);
    const heardIt = await ask(signal, [words.CHECK.heardIt, "headphones"], [words.CHECK.heardAloud, "unsure"], [words.CHECK.heardNothing, "nothing"]);
    if (heardIt !== "nothing") return heardIt;
    say(ears(), words.CHECK.turnUp);
    return ask(signal, [words.CHECK.again, "again"], [words.CHECK.wear, "headphones"], [words.CHECK.wearNone, "unsure"]);
  }

  goOn(signal) {
    const button = byId("check-done");
    if (signal.aborted) return Promise.resolve();
    button.hidden = false;
    byId("check-skip").hidden = true;
    button.focus({ preventScroll: true });
    return new Promise((resolve) => {
      button.onclick = resolve;
      signal.addEventListener("abort", resolve);
    });
  }
}
