// The songs that were found: a list of which one at a time is open, with both curves, its sound and the person's word on it.

import { ApiError } from "./api.js";
import { CurveView } from "./curve.js";
import { curvesOf } from "./find-search.js";
import * as words from "./find-words.js";
import { endOf, foldedOnto } from "./melody.js";
import { announce, byId, icon, notice } from "./page.js";
import { Duet, soundAt } from "./player.js";

// While the person hums, the best few are enough: the list must not push the button away.
const SO_FAR = 3;

// The picture shows the tune, not the tremble in it, seconds.
const SMOOTH_S = 0.18;

const MARK_ICONS = { right: "check", wrong: "x" };

const part = (row, name) => row.querySelector(`[data-part="${name}"]`);

function rowOf(template, { rank, song, probability }) {
  const row = byId(template).content.firstElementChild.cloneNode(true);
  part(row, "rank").textContent = rank;
  part(row, "title").textContent = song.title;
  part(row, "artist").textContent = song.artist;
  part(row, "bar").style.width = `${Math.round(100 * probability)}%`;
  part(row, "sure").textContent = words.sureness(probability);
  return row;
}

/** The best few while the person still hums: nothing to press, as the next answer takes their place. */
export function showSoFar(answer) {
  byId("found").replaceChildren(...answer.found.slice(0, SO_FAR).map((result) => rowOf("song-so-far", result)));
}

export class AnswerView {
  /** opened(result): called when a result is opened. */
  constructor({ opened = () => {} } = {}) {
    this.opened = opened;
    this.detail = byId("chosen");
    this.parking = this.detail.parentElement;
    this.view = new CurveView(byId("both"), { smooth_s: SMOOTH_S, voice: words.YOUR_HUM });
    this.context = null;
    this.duet = null;
    this.wanted = null; // what is to sound: loading, or playing
    this.clear();
    byId("play").addEventListener("click", () => this.play());
  }

  clear() {
    this.quiet();
    this.parking.append(this.detail);
    ["found", "near-found"].forEach((list) => byId(list).replaceChildren());
    Object.assign(byId("near"), { hidden: true, open: false });
    byId("searched").textContent = "";
    this.answer = null;
    this.result = null;
    this.rows = new Map();
    this.curves = new Map();
  }

  /** Shows the whole answer; the best one is open where it is one, or may be. */
  show(answer) {
    this.clear();
    this.answer = answer;
    const isShown = answer.is_here || words.isUnsure(answer);
    const list = byId(isShown ? "found" : "near-found");
    for (const result of answer.found) {
      const row = rowOf("song-row", result);
      row.querySelector("button").addEventListener("click", () => this.choose(this.result === result ? null : result));
      this.rows.set(result, row);
      list.append(row);
    }
    byId("near").hidden = isShown || !answer.found.length;
    if (isShown && answer.found.length) this.choose(answer.found[0]);
  }

  /** Opens a result in the list, or closes it (null). */
  choose(result) {
    this.quiet();
    this.result = result;
    for (const [other, row] of this.rows) row.querySelector("button").setAttribute("aria-expanded", String(other === result));
    if (!result) {
      this.parking.append(this.detail);
      return;
    }
    this.rows.get(result).append(this.detail);
    byId("near").open = !byId("near").hidden;
    byId("place").textContent = words.place(result);
    byId("play").hidden = !result.listen;
    part(byId("play"), "words").textContent = words.playFrom(result.start_s);
    byId("watch").hidden = !result.watch;
    if (result.watch) byId("watch").href = result.watch;
    byId("silent").hidden = Boolean(result.listen || result.watch);
    byId("chosen-trouble").replaceChildren();
    this.showCurves(result);
    this.opened(result);
  }

  /** The result so many places further down, and the focus on it. */
  step(by) {
    if (!this.rows.size) return;
    const all = [...this.rows.keys()];
    const at = this.result ? all.indexOf(this.result) + by : by > 0 ? 0 : all.length - 1;
    const next = all[Math.min(all.length - 1, Math.max(0, at))];
    if (next !== this.result) this.choose(next);
    const button = this.rows.get(next).querySelector("button");
    button.focus({ preventScroll: true });
    this.rows.get(next).scrollIntoView({ block: "nearest" });
  }

  /** The sign of the person's word beside a result: "right", "wrong" or null. */
  sign(result, word) {
    const place = part(this.rows.get(result), "mark");
    place.replaceChildren();
    place.dataset.mark = word ?? "";
    if (!word) return;
    const said = document.createElement("span");
    said.className = "visually-hidden";
    said.textContent = words.MARKS[word];
    place.append(icon(MARK_ICONS[word]), said);
  }

  async showCurves(result) {
    const figure = byId("both-figure");
    this.view.set({ reference: null, voice: null, now_s: null, from_s: 0, to_s: 1 });
    figure.hidden = !result.curves;
    if (!result.curves) return;
    try {
      if (!this.curves.has(result)) this.curves.set(result, await curvesOf(result));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.result !== result) return;
      figure.hidden = true;
      byId("chosen-trouble").replaceChildren(notice("warning", error.message));
      return;
    }
    if (this.result === result) this.draw(this.curves.get(result));
  }

  draw({ hum, song }) {
    const both = [hum, song];
    const from_s = Math.min(...both.map((curve) => curve.start_s ?? 0));
    this.view.set({ reference: song, voice: foldedOnto(song, hum), from_s, to_s: Math.max(...both.map(endOf)) });
  }

  // ---------------------------------------------------------------- its sound

  /** Plays the song from the place that was hummed; the same again ends it, also while the sound is still on its way. */
  async play() {
    const { result } = this;
    if (!result?.listen) return;
    if (this.wanted) {
      this.quiet();
      return;
    }
    const wanted = { result };
    this.wanted = wanted;
    this.context ??= new AudioContext();
    this.duet ??= new Duet(this.context);
    this.facePlay("loading");
    byId("chosen-trouble").replaceChildren();
    try {
      const sound = await soundAt(this.context, result.listen);
      if (this.wanted !== wanted) return;
      // Its clock is the song's, as that of the curves.
      this.duet.load("reference", sound, -result.start_s);
      const plays = await this.duet.play("reference", { from_s: result.start_s, ended: () => { if (this.wanted === wanted) this.ended(); } });
      if (!plays || this.wanted !== wanted) return;
      this.facePlay("playing");
      this.follow();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.wanted !== wanted) return;
      byId("chosen-trouble").replaceChildren(notice("warning", error.message));
      announce(error.message);
      this.ended();
    }
  }

  /** Opens the place in the song's video, where it has one. */
  watch() {
    if (this.result?.watch) byId("watch").click();
  }

  ended() {
    this.wanted = null;
    this.facePlay("silent");
    this.view.set({ now_s: null });
  }

  /** state: "silent", "loading" or "playing". */
  facePlay(state) {
    const play = byId("play");
    play.setAttribute("aria-pressed", String(state !== "silent"));
    play.setAttribute("aria-busy", String(state === "loading"));
    const faces = { silent: () => icon("play"), loading: () => byId("loading").content.cloneNode(true), playing: () => icon("square") };
    part(play, "face").replaceChildren(faces[state]());
  }

  /** The now-line runs along with what is heard. */
  follow() {
    if (!this.duet?.playing) return;
    this.view.set({ now_s: this.duet.now_s });
    requestAnimationFrame(() => this.follow());
  }

  /** Ends what sounds, or is on its way. */
  quiet() {
    this.ended();
    this.duet?.stop();
  }
}
