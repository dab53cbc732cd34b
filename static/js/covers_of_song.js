// Deciding on the videos of a song, by buttons and by keys: nothing moves, and the last decision can be taken back.

import { ApiError, post } from "./api.js";
import { bindKeys } from "./keys.js";
import { announce, linkButton } from "./page.js";
import "./live.js";
import "./search-covers.js";
import "./start-again.js";

const NOBODY = "00000000-0000-0000-0000-000000000000";
const DECIDED = ["approved", "refused"];
const SAID = { approve: "Approved.", refuse: "Refused.", undo: "Taken back." };

const list = document.getElementById("videos");
const videos = list ? [...list.querySelectorAll("[data-video]")] : [];
const undoButton = document.querySelector("[data-undo]");
// The videos that were decided on here, the last one at the end.
const decided = [];

let current = videos.find((video) => !DECIDED.includes(video.dataset.state)) ?? videos[0] ?? null;

function showCurrent() {
  videos.forEach((video) => {
    if (video === current) video.setAttribute("aria-current", "true");
    else video.removeAttribute("aria-current");
  });
}

/** Goes to a video; the focus too, where a key brought us there. */
function goTo(video, { focus = true } = {}) {
  if (!video) return;
  current = video;
  showCurrent();
  if (focus) video.focus();
  video.scrollIntoView({ block: "nearest" });
}

function next(video) {
  const rest = [...videos.slice(videos.indexOf(video) + 1), ...videos.slice(0, videos.indexOf(video))];
  return rest.find((one) => !DECIDED.includes(one.dataset.state)) ?? null;
}

function step(by) {
  goTo(videos[videos.indexOf(current) + by]);
}

function wrong(video, sentence) {
  const error = video.querySelector("[data-error]");
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  if (sentence) announce(sentence, { urgent: true });
}

function show(video, { state, words }) {
  video.dataset.state = state;
  video.querySelector("[data-words]").textContent = words;
  const isShown = { approve: state !== "approved", refuse: !DECIDED.includes(state), undo: DECIDED.includes(state) };
  for (const [decision, shown] of Object.entries(isShown)) video.querySelector(`[data-decide="${decision}"]`).hidden = !shown;
  undoButton.setAttribute("aria-disabled", String(!decided.length));
}

/** One that is decided anew is the last one then; one that is taken back is none any more. */
function forget(video) {
  const place = decided.indexOf(video);
  if (place >= 0) decided.splice(place, 1);
}

/** Decides; whether it was taken. */
async function decide(video, decision) {
  if (!video || video.dataset.busy) return false;
  video.dataset.busy = "1";
  wrong(video, "");
  try {
    const answer = await post(list.dataset.url.replace(NOBODY, video.dataset.video), { decision });
    forget(video);
    if (decision !== "undo") decided.push(video);
    show(video, answer);
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    wrong(video, problem.message);
    return false;
  } finally {
    delete video.dataset.busy;
  }
  announce(SAID[decision]);
  return true;
}

async function decideByKey(decision) {
  const video = current;
  if (!video || video.querySelector(`[data-decide="${decision}"]`).hidden) return;
  if (await decide(video, decision)) goTo(next(video) ?? video);
}

async function undoLast() {
  const video = decided.at(-1);
  if (!video) return;
  if (await decide(video, "undo")) goTo(video);
}

list?.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-decide]");
  const video = event.target.closest("[data-video]");
  if (!video) return;
  goTo(video, { focus: false });
  if (!button) return;
  // The button goes; the focus stays at the video.
  if (await decide(video, button.dataset.decide)) (video.querySelector("button[data-decide]:not([hidden])") ?? video).focus();
});

// A search has ended: what it found is shown at once where nothing is shown yet, and else when that is asked for.
document.addEventListener("chad:live", ({ target }) => {
  if (target.querySelector(".state--running")) return;
  if (videos.length) target.append(linkButton("Show what was found", () => location.reload()));
  else location.reload();
});

undoButton?.addEventListener("click", undoLast);
showCurrent();
bindKeys([
  { key: "y", name: "Y", words: "approve", run: () => decideByKey("approve") },
  { key: "n", name: "N", words: "refuse", run: () => decideByKey("refuse") },
  { key: "u", name: "U", words: "take the last decision back", run: undoLast },
  { key: "j", name: "J", words: "the next video", run: () => step(1) },
  { key: "k", name: "K", words: "the video before", run: () => step(-1) },
]);
