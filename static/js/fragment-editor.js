// The fragment editor: the original's waveform and melody, its fragments over them and in a list, all of one mind.

import { ApiError, get } from "./api.js";
import { Fragments } from "./fragments.js";
import { announce, byId, count, icon, notice } from "./page.js";
import { Regions } from "./regions.js";
import { Reel } from "./sound-reel.js";
import { Timeline } from "./timeline.js";
import { clock } from "./times.js";

// How long a phrase is that is added at the play position, seconds.
const NEW_S = 8;

const ORIGINS = { score: "from the score", machine: "proposed", person: "set by hand" };

export class FragmentEditor {
  /** data: as song_page.editor_data gives it; hasMelody: whether the original is analysed. */
  constructor(data, context, hasMelody) {
    this.data = data;
    this.at_s = 0;
    this.queue = Promise.resolve();
    this.rows = new Map();
    this.fragments = new Fragments(data.urls, data.fragments);
    this.reel = new Reel(context, (start_s, end_s) => `${data.urls.audio}?start_s=${start_s}&end_s=${end_s}`, data.duration_s);
    const parts = { scroll: byId("timeline"), track: byId("track"), canvas: byId("timeline-canvas") };
    this.timeline = new Timeline(parts, data.duration_s, () => this.layOut());
    this.regions = new Regions(byId("regions"), this.timeline, data, this.hooks());
    this.bindPlayhead();
    this.show();
    this.load(hasMelody);
  }

  hooks() {
    return {
      selected: (fragment) => this.markRow(fragment),
      seek: (seconds) => this.seek(seconds),
      moving: (fragment, bounds) => this.fillRow(fragment, bounds),
      moved: (fragment, bounds) => this.move(fragment, bounds),
      play: (fragment) => this.playFragment(fragment),
      remove: (fragment) => this.remove(fragment),
    };
  }

  async load(hasMelody) {
    const { urls } = this.data;
    await this.attempt(byId("editor-notices"), async () => {
      const [{ peaks }, curve] = await Promise.all([get(urls.peaks), hasMelody ? get(urls.curve) : null]);
      this.timeline.show({ peaks, curve });
    });
  }

  // --- what is shown

  show() {
    this.regions.show(this.fragments.list);
    this.showRows();
    const { undoable } = this.fragments;
    const undo = byId("undo");
    undo.setAttribute("aria-disabled", String(!undoable));
    undo.querySelector("[data-words]").textContent = undoable ? `Undo ${undoable}` : "Undo";
    byId("no-phrases").hidden = this.fragments.list.length > 0;
    byId("phrases-count").textContent = count(this.fragments.list.length, "phrase");
  }

  layOut() {
    this.regions?.layOut();
    this.showPosition();
  }

  showRows() {
    const focused = document.activeElement;
    const rows = this.fragments.list.map((fragment, k) => {
      const row = this.rows.get(fragment) ?? this.makeRow(fragment);
      row.querySelector("[data-number]").textContent = `Phrase ${k + 1}`;
      // What was typed and refused stays to be mended.
      if (!row.querySelector("[aria-invalid]")) this.fillRow(fragment, fragment);
      return row;
    });
    for (const [fragment] of this.rows) if (!this.fragments.list.includes(fragment)) this.rows.delete(fragment);
    const list = byId("phrases");
    if (rows.length !== list.children.length || rows.some((row, k) => list.children[k] !== row)) {
      list.replaceChildren(...rows);
      if (list.contains(focused)) focused.focus();
    }
  }

  makeRow(fragment) {
    const row = byId("a-phrase").content.firstElementChild.cloneNode(true);
    this.rows.set(fragment, row);
    row.addEventListener("change", (event) => this.typed(fragment, row, event.target));
    row.addEventListener("focusin", () => this.regions.choose(fragment));
    row.addEventListener("keydown", (event) => event.key === "Escape" && this.fillRow(fragment, fragment));
    row.querySelector("[data-play]").addEventListener("click", () => this.playFragment(fragment));
    row.querySelector("[data-remove]").addEventListener("click", () => this.remove(fragment));
    return row;
  }

  fillRow(fragment, { start_s, end_s }) {
    const row = this.rows.get(fragment);
    if (!row) return;
    const name = row.querySelector("[data-number]").textContent;
    for (const [key, value] of [["start", start_s], ["end", end_s]]) {
      const input = row.querySelector(`[data-${key}]`);
      input.value = value.toFixed(2);
      input.setAttribute("aria-label", `${name}, ${key} in seconds`);
      input.removeAttribute("aria-invalid");
    }
    row.querySelector("[data-length]").textContent = `${(end_s - start_s).toFixed(2)} s`;
    row.querySelector("[data-facts]").textContent = this.factsOf(fragment);
    row.querySelector("[data-play]").setAttribute("aria-label", `Play ${name}`);
    row.querySelector("[data-remove]").setAttribute("aria-label", `Remove ${name}`);
    row.querySelector("[data-error]").replaceChildren();
  }

  factsOf({ origin, takes, covers, fixed }) {
    const made = [takes && count(takes, "take"), covers && `${count(covers, "find")} in covers`].filter(Boolean);
    const why = made.length ? made.join(", ") : "handed out to a singer";
    return [ORIGINS[origin], fixed && `${why}; moving it makes a new phrase`].filter(Boolean).join(" · ");
  }

  markRow(fragment) {
    for (const [other, row] of this.rows) row.toggleAttribute("data-chosen", other === fragment);
    this.timeline.reveal(fragment.start_s, fragment.end_s);
  }

  // --- changes

  /** One change at a time, in order; what the server refuses is said at `place`. Whether it was done. */
  change(place, run) {
    this.queue = this.queue.then(() => this.attempt(place, async () => {
      await run();
      this.show();
    }));
    return this.queue;
  }

  async attempt(place, run) {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.regions.show(this.fragments.list);
      this.say(place, error.message);
      return false;
    }
    return true;
  }

  say(place, sentence) {
    if (place.matches("[data-error]")) place.replaceChildren(icon("circle-alert"), sentence);
    else place.replaceChildren(notice("bad", sentence));
    announce(sentence, { urgent: true });
  }

  async typed(fragment, row, input) {
    const [start_s, end_s] = ["start", "end"].map((key) => Number(row.querySelector(`[data-${key}]`).value.trim().replace(",", ".") || NaN));
    const error = row.querySelector("[data-error]");
    error.replaceChildren();
    if (Number.isNaN(start_s) || Number.isNaN(end_s)) {
      this.say(error, "Start and end are seconds, such as 12.5.");
      input.setAttribute("aria-invalid", "true");
      return;
    }
    await this.move(fragment, { start_s, end_s }, input);
  }

  async move(fragment, { start_s, end_s }, input = null) {
    const row = this.rows.get(fragment);
    const before = fragment.id;
    const done = await this.change(row.querySelector("[data-error]"), async () => {
      await this.fragments.move(fragment, start_s, end_s);
      row.querySelectorAll("[aria-invalid]").forEach((field) => field.removeAttribute("aria-invalid"));
    });
    if (!done) input?.setAttribute("aria-invalid", "true");
    else announce(fragment.id === before ? "Moved." : "Moved, as a new phrase.");
  }

  async add() {
    const { duration_s, shortest_s } = this.data;
    const start_s = Math.max(0, Math.min(this.position, duration_s - shortest_s));
    let added = null;
    const done = await this.change(byId("editor-notices"), async () => {
      added = await this.fragments.add(start_s, Math.min(start_s + NEW_S, duration_s));
      byId("editor-notices").replaceChildren();
    });
    if (!done) return;
    this.regions.choose(added);
    this.regions.focus(added);
    announce(`Phrase added at ${start_s.toFixed(1)} seconds.`);
  }

  async remove(fragment) {
    const row = this.rows.get(fragment);
    const index = this.fragments.list.indexOf(fragment);
    const done = await this.change(row.querySelector("[data-error]"), () => this.fragments.remove(fragment));
    if (!done) return;
    const next = this.fragments.list[Math.min(index, this.fragments.list.length - 1)];
    (next ? this.rows.get(next).querySelector("[data-remove]") : byId("add-phrase")).focus();
    announce("Removed. Undo brings it back.");
  }

  async undo() {
    this.regions.settle();
    let words = "";
    const done = await this.change(byId("editor-notices"), async () => { words = await this.fragments.undo(); });
    if (done) announce(words ? `Undone: ${words}.` : "Nothing to undo.");
  }

  // --- sound

  get position() {
    return this.reel.now_s ?? this.at_s;
  }

  seek(seconds) {
    const was = this.reel.playing;
    this.at_s = Math.min(this.data.duration_s, Math.max(0, seconds));
    if (was && was.to_s === this.data.duration_s) this.start(this.at_s, this.data.duration_s);
    else this.reel.stop();
    this.showPosition();
  }

  toggle() {
    if (this.reel.playing) {
      this.at_s = this.position;
      this.reel.stop();
      return;
    }
    const end = this.data.duration_s;
    this.start(this.at_s >= end - 0.05 ? 0 : this.at_s, end);
  }

  playFragment(fragment) {
    if (this.reel.playing?.fragment === fragment) {
      this.reel.stop();
      return;
    }
    this.regions.choose(fragment);
    this.start(fragment.start_s, fragment.end_s, fragment);
  }

  async start(from_s, to_s, fragment = null) {
    this.at_s = from_s;
    const playing = this.attempt(byId("editor-notices"), () => this.reel.play(from_s, to_s, () => this.stopped(to_s)));
    this.reel.playing.fragment = fragment;
    this.showPlaying();
    this.follow();
    await playing;
  }

  stopped(to_s) {
    if (to_s >= this.data.duration_s - 0.05 && this.at_s >= to_s - 0.2) this.at_s = 0;
    this.showPlaying();
    this.showPosition();
  }

  showPlaying() {
    const { playing } = this.reel;
    const whole = playing && !playing.fragment;
    const button = byId("play-whole");
    button.setAttribute("aria-pressed", String(Boolean(whole)));
    button.querySelector("[data-words]").textContent = whole ? "Pause" : "Play";
    button.querySelector("use").setAttribute("href", whole ? "#i-pause" : "#i-play");
    for (const [fragment, row] of this.rows) row.querySelector("[data-play]").setAttribute("aria-pressed", String(playing?.fragment === fragment));
  }

  follow() {
    if (!this.reel.playing) return;
    const { now_s } = this.reel;
    if (now_s !== null) {
      this.at_s = now_s;
      this.showPosition();
      this.keepInView(now_s);
    }
    requestAnimationFrame(() => this.follow());
  }

  /** While it plays the picture turns its page when the line leaves it. */
  keepInView(now_s) {
    const { scroll } = this.timeline;
    const x = this.timeline.x(now_s);
    if (x < scroll.scrollLeft || x > scroll.scrollLeft + scroll.clientWidth - 8) scroll.scrollLeft = x - 24;
  }

  showPosition() {
    const { position } = this;
    const head = byId("playhead");
    head.style.transform = `translateX(${this.timeline.x(position)}px)`;
    head.setAttribute("aria-valuenow", position.toFixed(1));
    head.setAttribute("aria-valuetext", `${position.toFixed(1)} seconds`);
    byId("position").textContent = `${clock(position)} of ${clock(this.data.duration_s)}`;
  }

  bindPlayhead() {
    const head = byId("playhead");
    head.setAttribute("aria-valuemin", "0");
    head.setAttribute("aria-valuemax", this.data.duration_s.toFixed(1));
    head.addEventListener("keydown", (event) => {
      const sign = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const place = { Home: 0, End: this.data.duration_s }[event.key];
      if (!sign && place === undefined) return;
      event.preventDefault();
      this.seek(place ?? this.position + sign * (event.shiftKey ? 5 : 0.5));
      this.timeline.reveal(this.at_s);
    });
    byId("track").addEventListener("click", (event) => {
      if (!event.target.closest(".region")) this.seek(this.timeline.secondAt(event.clientX));
    });
  }
}
