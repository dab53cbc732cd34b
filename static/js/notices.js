// What the humming page says: on the stage about the take, and above it about everything else, each said aloud too.
// A notice whose button has the focus hands it on when it goes, to the big button or to the page.

import { announce, byId, isShown, notice } from "./page.js";

function keepFocus(change) {
  const focused = document.activeElement;
  change();
  if (focused.isConnected) return;
  byId(isShown(byId("act")) ? "act" : "main").focus({ preventScroll: true });
}

/** Says it on the stage, instead of what was said there before. */
export function say(...notices) {
  keepFocus(() => byId("outcome").replaceChildren(...notices));
  announce(notices.map((box) => box.innerText).join(" "));
}

/** Says it above the stage until it is taken back or said anew; `name` is what it is about. */
export function warn(name, kind, sentence, ...more) {
  const box = notice(kind, sentence, ...more);
  box.dataset.name = name;
  unwarn(name);
  byId("notices").append(box);
  announce(sentence, { urgent: kind === "bad" });
}

/** Takes it back. */
export function unwarn(name) {
  keepFocus(() => byId("notices").querySelector(`[data-name="${name}"]`)?.remove());
}
