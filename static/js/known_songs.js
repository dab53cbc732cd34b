// Which songs a person knows; a phrase of each can be heard. Each answer is sent as it is given, and taken back on the page when it did not get there.

import { ApiError, call } from "./api.js";
import { announce, byId, notice } from "./page.js";
import { gettext } from "./words.js";

function answerOf(fieldset) {
  return fieldset.querySelector("input:checked");
}

async function tell(fieldset, before) {
  try {
    await call("PUT", fieldset.dataset.song, { knows: JSON.parse(answerOf(fieldset).value) });
    byId("notices").replaceChildren();
    announce(gettext("Kept."));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    before.checked = true;
    byId("notices").replaceChildren(notice("bad", error.message));
    announce(error.message, { urgent: true });
  }
}

// One phrase at a time is heard.
const sound = new Audio();
let playing = null;

function release() {
  playing?.setAttribute("aria-pressed", "false");
  playing = null;
}

async function hear(button) {
  const again = playing === button;
  sound.pause();
  release();
  if (again) return;
  playing = button;
  button.setAttribute("aria-pressed", "true");
  sound.src = button.dataset.play;
  try {
    await sound.play();
  } catch (error) {
    // Another phrase was asked for, or this one cannot be fetched now.
    if (!(error instanceof DOMException)) throw error;
    if (error.name !== "AbortError") announce(gettext("This cannot be heard just now."), { urgent: true });
    if (playing === button) release();
  }
}

sound.addEventListener("ended", release);
document.querySelectorAll("[data-play]").forEach((button) => button.addEventListener("click", () => hear(button)));
document.querySelectorAll("[data-song]").forEach((fieldset) => {
  let before = answerOf(fieldset);
  fieldset.addEventListener("change", async () => {
    await tell(fieldset, before);
    before = answerOf(fieldset);
  });
});
