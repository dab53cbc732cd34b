// The way of waiting takes to the server, as every page of the site takes part in it: whatever waits is sent at once, when
// the network comes back, and by the service worker after the tab is closed, where the browser has background sync. The
// badge of the navigation says how many wait. What happens to a take is told as an event of the document:
// chad:saved {item, status}, chad:unsent {item, error}.

import { NAME, deliver, deliverAll, forget, waiting } from "./deliver-all.js";
import * as outbox from "./outbox.js";
import { interpolate, ngettext } from "./words.js";

// What waits is tried again after this long, then ever more slowly up to the most, ms.
const RETRY_MS = 15_000;
const MOST_RETRY_MS = 240_000;

// Other tabs, and the service worker: "changed", or {item, status} of what one of them has delivered.
const others = new BroadcastChannel(NAME);

let pause_ms = RETRY_MS;
let timer = null;
// What the server asked for: nothing is sent before this moment, ms of the clock.
let not_before = 0;

/** What was hummed but not sent; nothing where the browser keeps nothing. */
export async function draftsHere() {
  try {
    return await outbox.drafts();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return [];
  }
}

/** Fragments of which a take waits here: they are hummed, though the server does not know it yet. */
export async function waitingFragments() {
  return (await waiting()).map((item) => item.fragment).filter(Boolean);
}

function tell({ item, status, error }) {
  const detail = error ? { item, error } : { item, status };
  document.dispatchEvent(new CustomEvent(error ? "chad:unsent" : "chad:saved", { detail }));
}

// What is sent within this time never waited, ms: the badge does not flicker.
const PATIENCE_MS = 1200;
let unseen = null;

/** Shows how many takes wait on this device, those that wait for longer than a moment. */
async function showBadge() {
  const count = (await waiting()).length;
  clearTimeout(unseen);
  unseen = count ? setTimeout(() => writeBadge(count), PATIENCE_MS) : null;
  if (!count) writeBadge(0);
}

function writeBadge(count) {
  document.querySelectorAll("[data-outbox]").forEach((badge) => {
    badge.hidden = count === 0;
    const words = interpolate(ngettext("%(n)s hum waits", "%(n)s hums wait", count), { n: count });
    badge.querySelector("[data-outbox-words]").textContent = words;
  });
}

async function changed() {
  others.postMessage("changed");
  await showBadge();
}

/** Throws a take away, by the person's own wish. */
export async function discard(id) {
  await forget(id);
  await changed();
}

/** Sends a take from memory, where the browser keeps nothing. */
export async function deliverNow(item) {
  tell(await deliver(item));
}

/** Asks the browser to send what waits even when no page is open; few browsers can. */
export async function askBackground() {
  const registration = await navigator.serviceWorker?.getRegistration();
  try {
    await registration?.sync?.register(NAME);
  } catch (error) {
    // The person forbids background work: then the next visit sends it.
    if (!(error instanceof DOMException)) throw error;
  }
}

/** Sends everything that waits. */
export async function sendAll() {
  clearTimeout(timer);
  timer = null;
  await showBadge();
  const asked_ms = await deliverAll(async (result) => {
    tell(result);
    // The tab that hummed it may be another one. Audio is no part of the message.
    const { item: { id, user, title }, status, error } = result;
    others.postMessage(error ? "changed" : { item: { id, user, title }, status });
    await showBadge();
  });
  if (asked_ms === null) {
    pause_ms = RETRY_MS;
  } else if (asked_ms > 0) {
    // The server says when: sooner would only be refused again. A page that is looked at anew does not ask sooner either.
    timer = setTimeout(sendAll, asked_ms);
    not_before = Date.now() + asked_ms;
  } else {
    pause_ms = Math.min(pause_ms * 2, MOST_RETRY_MS);
    timer = setTimeout(sendAll, pause_ms);
  }
}

/** From now on this page takes part. */
export function start() {
  others.addEventListener("message", ({ data }) => {
    if (data !== "changed") tell(data);
    showBadge();
  });
  window.addEventListener("online", sendAll);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && timer !== null && Date.now() >= not_before) sendAll(); });
  // Asks the browser not to clear the outbox when the disk fills up; it may say no.
  navigator.storage?.persist?.();
  navigator.serviceWorker?.register("/service-worker.js", { type: "module" }).catch((error) => {
    // Without it takes are sent by pages alone: private windows and old browsers have none.
    if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
  });
  sendAll();
}
