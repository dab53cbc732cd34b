// My takes: hear one, withdraw one.

import { ApiError, post } from "./api.js";
import { announce, byId, icon, notice } from "./page.js";

const player = new Audio();
let playing = null;

function showPlaying(button, yes) {
  button.setAttribute("aria-pressed", String(yes));
  button.querySelector(".icon").replaceWith(icon(yes ? "square" : "play"));
}

function stop() {
  player.pause();
  if (playing) showPlaying(playing, false);
  playing = null;
}

function play(button) {
  const same = playing === button;
  stop();
  if (same) return;
  playing = button;
  player.src = button.dataset.play;
  showPlaying(button, true);
  player.play().catch((error) => {
    // A play that was stopped before it began is no failure.
    if (error.name === "AbortError") return;
    if (!(error instanceof DOMException)) throw error;
    stop();
    say("bad", "This take could not be played. Reload the page and try again.");
  });
}

function say(kind, sentence) {
  byId("notices").replaceChildren(notice(kind, sentence));
  announce(sentence, { urgent: kind === "bad" });
}

async function withdraw(path) {
  try {
    await post(path);
    window.location.reload();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    say("bad", error.message);
  }
}

function askAndWithdraw(path) {
  const dialog = byId("withdraw");
  dialog.returnValue = "no";
  dialog.addEventListener("close", () => { if (dialog.returnValue === "yes") withdraw(path); }, { once: true });
  dialog.showModal();
}

player.addEventListener("ended", stop);
document.querySelectorAll("[data-play]").forEach((button) => button.addEventListener("click", () => play(button)));
document.querySelectorAll("[data-withdraw]").forEach((button) => button.addEventListener("click", () => askAndWithdraw(button.dataset.withdraw)));
