// What the humming page says: on the stage about the take, and above it about everything else, each said aloud too.

import { announce, byId, notice } from "./page.js";

/** Says it on the stage, instead of what was said there before. */
export function say(...notices) {
  byId("outcome").replaceChildren(...notices);
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
  byId("notices").querySelector(`[data-name="${name}"]`)?.remove();
}
