// Pages that the server writes whole, kept up to date: while something on them is under way ([data-live-open]), the page is
// fetched again and the parts marked data-live="name" are taken over where they changed. Where one stops being open, that
// is said aloud: data-live-said, or "Done.".

import { announce } from "./page.js";
import { poll } from "./poll.js";
import { gettext } from "./words.js";

const EVERY_MS = 3000;

// What the server last wrote into each part: scripts change what stands there, so that cannot be compared.
const written = new WeakMap();
document.querySelectorAll("[data-live]").forEach((part) => written.set(part, part.innerHTML));

// An answer that is not the page any more: signed out, or gone.
class Ended extends Error {}

async function fetched() {
  const response = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
  if (response.redirected || response.status === 403 || response.status === 404) throw new Ended();
  return response.ok ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
}

/** Whether somebody is at work inside: typing, or with the focus there. */
function busy(part) {
  return part.contains(document.activeElement) && document.activeElement !== part;
}

function takeOver(part, fresh) {
  if (!fresh || busy(part)) return;
  const wasOpen = part.hasAttribute("data-live-open");
  const isOpen = fresh.hasAttribute("data-live-open");
  if (written.get(part) !== fresh.innerHTML) {
    written.set(part, fresh.innerHTML);
    part.replaceChildren(...fresh.childNodes);
    part.dispatchEvent(new CustomEvent("chad:live", { bubbles: true }));
  }
  part.toggleAttribute("data-live-open", isOpen);
  if (wasOpen && !isOpen) announce(fresh.dataset.liveSaid ?? gettext("Done."));
}

function isOpen() {
  return document.querySelector("[data-live-open]") !== null;
}

async function look() {
  if (!isOpen()) return true;
  try {
    const page = await fetched();
    if (page) document.querySelectorAll("[data-live]").forEach((part) => takeOver(part, page.querySelector(`[data-live="${part.dataset.live}"]`)));
  } catch (error) {
    if (error instanceof Ended) return false;
    // No network for a while: the page stays as it is, and asks again.
    if (!(error instanceof TypeError)) throw error;
  }
  return true;
}

const looking = poll(look, EVERY_MS);

/** Looks at once, after something was started; `part` is open from then on. */
export function lookNow(part) {
  part?.setAttribute("data-live-open", "");
  return looking.now();
}
