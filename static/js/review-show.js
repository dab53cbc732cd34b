// What the review page shows of an item and of playing it: the page's elements, and no decisions.

import { ApiError } from "./api.js";
import { byId, icon } from "./page.js";
import * as words from "./review-words.js";

const page = byId("review");
const VERSION_WORD = { hum: "Hum", cover: "Cover" };

export const act = (name) => page.querySelector(`[data-act="${name}"]`);

/** One of the page's states: loading, item, stuck, nothing. */
export function show(state) {
  page.dataset.state = state;
  page.querySelectorAll("[data-in]").forEach((part) => { part.hidden = part.dataset.in !== state; });
}

/** Only what changes is written: what listens to an output would say it again. */
function write(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

export function showItem(item) {
  page.dataset.item = item.id;
  byId("what").textContent = words.titleOf(item);
  byId("what").title = words.titleOf(item);
  byId("facts").textContent = words.factsOf(item);
  byId("version-name").textContent = item.kind;
  byId("play-voice-word").textContent = VERSION_WORD[item.kind];
}

/** All that is said of an item when it comes on the desk. */
export function itemInWords() {
  return `${["what", "facts", "version-legend", "left"].map((id) => byId(id).textContent).join(". ")}.`;
}

/** The reviewer's own values, or that they are the machine's. */
export function showCorrections(piece) {
  write("nudge", words.correction(piece.shift_ms));
  write("trim-start", words.correction(piece.trim.start_s * 1000));
  write("trim-end", words.correction(-piece.trim.end_s * 1000));
  act("reset").setAttribute("aria-disabled", !piece.isChanged);
}

export function showClock(piece, second) {
  write("clock", piece ? `${Math.max(0, second ?? 0).toFixed(1)} of ${piece.duration_s.toFixed(1)} s` : "");
}

export function showEar({ which, loop, step }) {
  page.querySelectorAll("[data-play]").forEach((button) => button.setAttribute("aria-pressed", button.dataset.play === which));
  byId("stop-word").textContent = which ? "Stop" : "Play";
  byId("stop-icon").replaceChildren(icon(which ? "square" : "play"));
  act("loop").setAttribute("aria-pressed", loop);
  byId("speed").textContent = words.SPEEDS[step].label;
}

/** What may be pressed: of a piece that lies open, is judged, or told by practice. */
export function allow(piece, isTold) {
  const isOpen = piece !== null && !piece.isJudged;
  byId("judge").hidden = isTold;
  byId("practice").hidden = !isTold;
  byId("judge").inert = !isOpen;
  byId("judge").dataset.waits = String(piece !== null && piece.isJudged && !isTold);
  act("accept").setAttribute("aria-disabled", !(isOpen && piece.isHeard));
  byId("hear-first").hidden = !isOpen || piece.isHeard;
}

/** What practice says of an answer. Returns it in one sentence. */
export function showPractice(practice) {
  const title = words.practiceTitle(practice);
  byId("practice").dataset.right = practice.right;
  byId("practice-title").textContent = title;
  byId("practice-words").textContent = practice.words;
  byId("practice-icon").replaceChildren(icon(practice.right ? "circle-check" : "circle-alert"));
  return `${title}. ${practice.words} Press Enter to go on.`;
}

/** Why the next item does not come. Returns the sentence; throws what is no trouble of the network or of a sound. */
export function showStuck(error, unsent, isThere) {
  const isApi = error instanceof ApiError;
  if (!isApi && !(error instanceof DOMException)) throw error;
  const sentence = isApi ? words.whyNot(error) : "This browser cannot play its sound.";
  byId("stuck-words").textContent = unsent ? `${sentence} ${words.unsent(unsent)}` : sentence;
  act("passNext").hidden = !isThere || (isApi && (error.passing || error.signedOut));
  return byId("stuck-words").textContent;
}
