// The completion page. The server says whether the work is stored; this script, whether anything of it still waits on this
// device. Only when neither is missing does the code show.

import { ApiError, get } from "./api.js";
import { waiting } from "./deliver-all.js";
import { announce, byId, notice } from "./page.js";
import { poll } from "./poll.js";
import { gettext, interpolate, ngettext } from "./words.js";

const EVERY_MS = 3000;

const root = byId("study-done");
const { url, kind, user } = root.dataset;
const complete = root.hasAttribute("data-complete");
let said = null;

/** How many hums of this person wait here; those of others who hummed in this browser do not hold up the code. */
async function waitingHere() {
  const items = await waiting();
  return items.filter((item) => !item.user || String(item.user) === user).length;
}

function sayWaiting(count) {
  if (count === said) return;
  said = count;
  const words = ngettext("%(n)s hum is still on its way. Leave this page open until it is here.", "%(n)s hums are still on their way. Leave this page open until they are here.", count);
  byId("waits").hidden = count === 0;
  if (count) byId("waits").replaceChildren(notice("warning", interpolate(words, { n: count })));
}

function showCode() {
  byId("code").replaceChildren(byId("code-kept").content.cloneNode(true));
  announce(gettext("Here is your completion code."));
}

async function look() {
  const count = await waitingHere();
  sayWaiting(count);
  if (complete && count === 0) {
    showCode();
    return false;
  }
  return complete || asked();
}

/** Loads the page anew once the server has everything; whether to ask again. */
async function asked() {
  try {
    if ((await get(`${url}?kind=${kind}`)).complete) location.reload();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.passing;
  }
}

const looking = poll(look, EVERY_MS);
document.addEventListener("chad:saved", () => looking.now());
looking.now();
