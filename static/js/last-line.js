// The quiet line about the last verdict, with a button to take it back as long as that is offered.

import { byId } from "./page.js";
import { outcome, placeOf } from "./review-words.js";

export class LastLine {
  /** What it is about: a record of review-desk.js; null where nothing is shown. */
  record = null;

  show(record) {
    this.record = record;
    clearInterval(this.timer);
    byId("last").hidden = false;
    byId("undo").hidden = record.decision === "pass";
    byId("undo-left").textContent = "";
    byId("last-words").textContent = `${outcome(record)}: ${placeOf(record.piece.item)}`;
  }

  /** The seconds are seen and not said. */
  countDown(seconds) {
    clearInterval(this.timer);
    if (seconds <= 0) {
      this.hide();
      return;
    }
    byId("undo-left").textContent = `${seconds} s`;
    this.timer = setTimeout(() => this.countDown(seconds - 1), 1000);
  }

  hide() {
    clearInterval(this.timer);
    const hadFocus = byId("last").contains(document.activeElement);
    byId("last").hidden = true;
    this.record = null;
    if (hadFocus) byId("main").focus({ preventScroll: true });
  }
}
