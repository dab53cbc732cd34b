// What the review page says beside the item: notices that float above it, so that nothing moves, each under a name and
// with a way to close it.

import { announce, byId, icon, linkButton, notice } from "./page.js";
import { KEPT, placeOf, whyNot } from "./review-words.js";

/** Says it until it is taken back, closed, or said anew. more: buttons after the sentence. */
export function tell(name, kind, sentence, ...more) {
  const box = notice(kind, sentence, ...more);
  box.dataset.name = name;
  box.append(closer(name));
  const present = named(name);
  if (present) present.replaceWith(box);
  else byId("notices").append(box);
  announce(sentence, { urgent: kind === "bad" });
}

function named(name) {
  return byId("notices").querySelector(`[data-name="${name}"]`);
}

function closer(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "button button--quiet button--small review__close";
  const words = document.createElement("span");
  words.className = "visually-hidden";
  words.textContent = "Close this notice";
  button.append(icon("x"), words);
  button.addEventListener("click", () => untell(name));
  return button;
}

/** Takes it back. Focus that goes with it goes to the page. */
export function untell(name) {
  const box = named(name);
  if (!box) return;
  const hadFocus = box.contains(document.activeElement);
  box.remove();
  if (hadFocus) byId("main").focus({ preventScroll: true });
}

/** Takes everything back. */
export function untellAll() {
  [...byId("notices").children].forEach((box) => untell(box.dataset.name));
}

function signInLink() {
  const link = document.createElement("a");
  Object.assign(link, { href: document.body.dataset.signInUrl, target: "_blank", textContent: "Sign in, in another tab" });
  return link;
}

/** A verdict did not go out; send() tries it again. */
export function tellUnsent(error, send) {
  const more = [linkButton("Send it now", send)];
  if (error.signedOut) more.push(signInLink());
  tell("unsent", "bad", `${whyNot(error)} ${KEPT}`, ...more);
}

/** A verdict was not taken. Where it is still the reviewer's to judge, judge() brings it back. */
export function tellRefused(item, error, judge) {
  const isGone = ["lease_over", "not_yours"].includes(error.code) || error.status === 404;
  const again = linkButton("Judge it again", () => { untell("refused"); judge(); });
  tell("refused", "bad", `${placeOf(item)}: ${error.message}`, ...(isGone ? [] : [again]));
}
