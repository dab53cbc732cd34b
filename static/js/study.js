// The bar of a participant's study: how many pieces are stored, as the server says. It looks again after each take that was
// delivered from here, and every few seconds besides: verdicts, and what another tab or the service worker sent.

import { ApiError, get } from "./api.js";
import { announce, byId } from "./page.js";
import { poll } from "./poll.js";
import { gettext, interpolate } from "./words.js";

const EVERY_MS = 5000;

const bar = byId("study-bar");
const address = `${bar.dataset.url}?kind=${bar.dataset.kind}`;
let done = bar.querySelector("progress").value;

function show(now) {
  bar.querySelector("progress").value = now.done;
  byId("study-words").textContent = interpolate(gettext("%(done)s of %(pieces)s done"), now);
  done = now.done;
  if (!now.complete) return;
  bar.toggleAttribute("data-complete", true);
  byId("study-code").textContent = gettext("Get your completion code");
  announce(gettext("All of it is done. You get your completion code by the link at the top of the page."));
}

async function look() {
  try {
    const now = await get(address);
    if (now.done !== done || now.complete) show(now);
    return !now.complete;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.passing;
  }
}

if (!bar.hasAttribute("data-complete")) {
  const looking = poll(look, EVERY_MS);
  document.addEventListener("chad:saved", () => looking.now());
}
