// “My last verdicts”: a dialog with what the reviewer judged last, what became of it, and what may still be taken back.

import { ApiError, get } from "./api.js";
import { announce, byId, icon, notice } from "./page.js";
import { outcome, placeOf } from "./review-words.js";

function cell(label, ...inside) {
  const td = document.createElement("td");
  td.dataset.label = label;
  td.append(...inside);
  return td;
}

function state(kind, name, words) {
  const span = document.createElement("span");
  span.className = kind ? `state state--${kind}` : "state";
  span.append(icon(name), words);
  return span;
}

function judged(verdict) {
  return verdict.decision === "accept" ? state("good", "check", "accepted") : state("bad", "x", verdict.why || "rejected");
}

function standing(verdict) {
  if (verdict.undone) return state("", "undo-2", "taken back");
  if (verdict.practice) return state("", "graduation-cap", "practice");
  const words = state("", verdict.state === "settled" ? "circle-check" : "hourglass", verdict.state);
  if (verdict.counts) return words;
  const more = document.createElement("span");
  more.className = "last__more";
  more.textContent = `Does not count. ${verdict.why_not}`;
  return [words, more];
}

/** "14:05:09" of today, else "3 Nov, 14:05". */
function when(at) {
  const time = document.createElement("time");
  time.dateTime = at;
  const day = new Date(at);
  const isToday = day.toDateString() === new Date().toDateString();
  // Several of one phrase are told apart by their seconds.
  const parts = isToday ? { second: "2-digit" } : { day: "numeric", month: "short" };
  time.textContent = day.toLocaleString("en-GB", { hour: "2-digit", minute: "2-digit", ...parts });
  return time;
}

export class LastVerdicts {
  /** undo(verdict): takes it back and lays it on the desk. */
  constructor(undo) {
    this.undo = undo;
    this.dialog = byId("last-verdicts");
    this.rows = byId("last-rows");
  }

  async open() {
    if (this.dialog.open) return;
    this.show("loading");
    this.dialog.showModal();
    try {
      const { verdicts } = await get("/api/review/verdicts");
      this.rows.replaceChildren(...verdicts.map((verdict) => this.row(verdict)));
      this.show(verdicts.length ? "list" : "none");
      if (!verdicts.length) announce("You have not judged anything yet.");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.trouble(error.message);
    }
  }

  /** Whether something that was judged waits for others. */
  async someWait() {
    try {
      const { verdicts } = await get("/api/review/verdicts");
      return verdicts.some(({ undone, practice, state: now }) => !undone && !practice && now !== "settled");
    } catch (error) {
      // Only a sentence is missing then.
      if (!(error instanceof ApiError)) throw error;
      return false;
    }
  }

  show(part) {
    byId("last-trouble").replaceChildren();
    this.dialog.querySelectorAll("[data-last]").forEach((one) => { one.hidden = one.dataset.last !== part; });
  }

  trouble(sentence) {
    this.show("none of them");
    byId("last-trouble").replaceChildren(notice("bad", sentence));
    announce(sentence, { urgent: true });
  }

  row(verdict) {
    const tr = document.createElement("tr");
    const name = document.createElement("span");
    name.textContent = placeOf(verdict);
    const kind = document.createElement("span");
    kind.className = "soft";
    kind.textContent = `${verdict.kind} `;
    tr.append(
      cell("item", kind, name),
      cell("verdict", judged(verdict)),
      cell("became", ...[standing(verdict)].flat()),
      cell("at", when(verdict.at)),
      cell("", ...(verdict.may_be_undone ? [this.button(verdict)] : [])),
    );
    return tr;
  }

  button(verdict) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button--small";
    const more = document.createElement("span");
    more.className = "visually-hidden";
    more.textContent = `${placeOf(verdict)}, ${outcome(verdict)}`;
    button.append(icon("undo-2"), "Take back", more);
    button.addEventListener("click", () => this.take(verdict, button));
    return button;
  }

  async take(verdict, button) {
    button.disabled = true;
    try {
      await this.undo(verdict);
      this.dialog.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      byId("last-trouble").replaceChildren(notice("bad", error.message));
      announce(error.message, { urgent: true });
      button.remove();
    }
  }
}
