// Sends what waits in the outbox, from every page of the site and whoever is signed in: a take's ticket says whose it is.
// One tab at a time sends; the badge of the navigation says how many wait. What happens to a take is told as an event of
// the document: chad:saved {item, status}, chad:unsent {item, error}.

import { ApiError } from "./api.js";
import * as outbox from "./outbox.js";
import { interpolate, ngettext } from "./words.js";

// What waits is tried again after this long, then ever more slowly up to the most, ms.
const RETRY_MS = 15_000;
const MOST_RETRY_MS = 240_000;

const LOCK = "chad-outbox";
const tabs = new BroadcastChannel(LOCK);

let pause_ms = RETRY_MS;
let timer = null;

/** What waits; nothing where the browser keeps nothing. */
export async function waitingHere() {
  return orNothing(outbox.waiting());
}

/** What was hummed but not sent. */
export async function draftsHere() {
  return orNothing(outbox.drafts());
}

async function orNothing(asked) {
  try {
    return await asked;
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return [];
  }
}

function tell(name, detail) {
  document.dispatchEvent(new CustomEvent(name, { detail }));
}

/** Shows how many takes wait on this device, on this page and in the other tabs. */
export async function showBadge() {
  const items = await waitingHere();
  document.querySelectorAll("[data-outbox]").forEach((badge) => {
    badge.hidden = items.length === 0;
    badge.querySelector("[data-outbox-words]").textContent = interpolate(
      ngettext("%(n)s hum waits", "%(n)s hums wait", items.length), { n: items.length },
    );
  });
  tell("chad:waiting", { items });
}

async function alone(work) {
  return navigator.locks ? navigator.locks.request(LOCK, work) : work();
}

/** Sends one take and forgets it here once it is saved. Returns the error that kept it from being saved, or null. */
export async function deliver(item) {
  try {
    const { status } = await outbox.send(item);
    await forgetHere(item.id);
    tell("chad:saved", { item, status });
    return null;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    tell("chad:unsent", { item, error });
    return error;
  }
}

async function forgetHere(id) {
  try {
    await outbox.forget(id);
  } catch (error) {
    // It was sent from memory, as this browser keeps nothing.
    if (!(error instanceof DOMException)) throw error;
  }
}

/** Throws a take away, by the person's own wish. */
export async function discard(id) {
  await forgetHere(id);
  await changed();
}

async function changed() {
  tabs.postMessage("changed");
  await showBadge();
}

/** Sends everything that waits, the oldest first. One that the server refuses does not hold up the others. */
export async function sendAll() {
  clearTimeout(timer);
  const stuck = await alone(async () => {
    for (const item of await waitingHere()) {
      const error = await deliver(item);
      await changed();
      if (error?.passing) return true;
    }
    return false;
  });
  pause_ms = stuck ? Math.min(pause_ms * 2, MOST_RETRY_MS) : RETRY_MS;
  if (stuck) timer = setTimeout(sendAll, pause_ms);
}

/** From now on whatever waits is sent: at once, when the network comes back, and when the page is looked at again. */
export function start() {
  tabs.addEventListener("message", showBadge);
  window.addEventListener("online", sendAll);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && timer !== null) sendAll(); });
  // Asks the browser not to clear the outbox when the disk fills up; it may say no.
  navigator.storage?.persist?.();
  showBadge();
  sendAll();
}
