// The reasons against an item: buttons with their numbers, and a line for one's own words.

import { byId } from "./page.js";

// "Other" has the same key for hums and covers, whatever comes before it.
const OTHER = "other";
const OTHER_KEY = "0";
const NUMBERS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
const LISTED = {
  1: { name: "1 … 9", words: "not: the reason of that number" }, [OTHER_KEY]: { name: OTHER_KEY, words: "not: other, in words" },
};

function keyOf(code, place) {
  return code === OTHER ? OTHER_KEY : String(place + 1);
}

/** all: {hum: [{code, label}], cover: …}; chosen(reason, words, event): one was. */
export function bindReasons(all, chosen) {
  const list = byId("reasons-of-this");
  const form = byId("words-form");
  const input = byId("words");
  let kind = null;

  function choose(reason, event) {
    if (reason.code === OTHER) open();
    else chosen(reason, "", event);
  }

  function open() {
    list.hidden = true;
    form.hidden = false;
    input.focus();
  }

  function close() {
    if (form.hidden) return;
    form.hidden = true;
    list.hidden = false;
    input.value = "";
    list.querySelector("[data-reason=other]")?.focus({ preventScroll: true });
  }

  function button(reason, place) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "button button--small";
    made.dataset.reason = reason.code;
    const key = document.createElement("kbd");
    key.className = "key";
    key.setAttribute("aria-hidden", "true");
    key.textContent = keyOf(reason.code, place);
    made.append(key, reason.label);
    made.addEventListener("click", (event) => choose(reason, event));
    return made;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = input.value.trim();
    if (!words) return;
    form.hidden = true;
    list.hidden = false;
    input.value = "";
    chosen(all[kind].find(({ code }) => code === OTHER), words, event);
  });
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });

  return {
    close,
    /** Offers those of a kind of item. */
    offer(now) {
      form.hidden = true;
      list.hidden = false;
      input.value = "";
      if (now === kind) return;
      kind = now;
      list.replaceChildren(...all[kind].map(button));
    },
    focus() {
      if (form.hidden) list.querySelector("button")?.focus();
    },
    commands: [...NUMBERS, OTHER_KEY].map((key) => ({
      key, ...LISTED[key],
      run: (event) => {
        const reason = kind && byId("judge").checkVisibility() && all[kind].find(({ code }, place) => keyOf(code, place) === key);
        if (reason && !byId("judge").inert) choose(reason, event);
      },
    })),
  };
}
