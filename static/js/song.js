// The page of a song: the fragment editor, its covers heard and mined, and the recordings as they get ready.

import { ApiError, post } from "./api.js";
import { FragmentEditor } from "./fragment-editor.js";
import { Hearing } from "./hear.js";
import { bindKeys } from "./keys.js";
import { lookNow } from "./live.js";
import { announce, byId, dataOf, notice } from "./page.js";
import "./start-again.js";

const data = dataOf("editor-data");
const context = new AudioContext(data ? { sampleRate: data.sample_rate } : {});
const editor = data && new FragmentEditor(data, context, dataOf("has-melody"));

// --- a cover fragment, heard

const hearing = new Hearing(context, { onStart: () => editor?.reel.stop() });

async function hear(button) {
  try {
    await hearing.toggle([button.dataset.hear], button);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("found-notices").replaceChildren(notice("bad", error.message));
    announce(error.message, { urgent: true });
  }
}

// --- mining

async function mine(button) {
  const error = byId("mine-error");
  const wrong = (sentence) => {
    error.hidden = !sentence;
    error.querySelector("span").textContent = sentence;
    if (sentence) announce(sentence, { urgent: true });
  };
  if (button.getAttribute("aria-disabled") === "true") return wrong(button.dataset.why);
  wrong("");
  try {
    await post(button.dataset.mine, { step: "mine", song: button.dataset.song });
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    return wrong(problem.message);
  }
  announce("Mining is asked for.");
  button.blur();
  return lookNow(document.querySelector('[data-live="mining"]'));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.hear) hear(button);
  if (button?.dataset.mine) mine(button);
});

// An original that is read now, or has its melody now, brings the editor with it.
document.addEventListener("chad:live", () => {
  const { editorState } = document.querySelector('[data-live="recordings"] [data-editor-state]').dataset;
  if (editorState !== document.body.querySelector("[data-editor-shown]").dataset.editorShown) location.reload();
});

// --- hands

if (editor) {
  byId("play-whole").addEventListener("click", () => editor.toggle());
  byId("add-phrase").addEventListener("click", () => editor.add());
  byId("undo").addEventListener("click", () => editor.undo());
  byId("zoom-in").addEventListener("click", () => editor.timeline.zoom(1));
  byId("zoom-out").addEventListener("click", () => editor.timeline.zoom(-1));
  byId("zoom-fit").addEventListener("click", () => editor.timeline.fit());
  bindKeys([
    { key: " ", name: "Space", words: "play or pause at the line", run: () => editor.toggle() },
    { key: "n", name: "N", words: "add a phrase at the line", run: () => editor.add() },
    { key: "u", name: "U", words: "undo", run: () => editor.undo() },
    { key: "+", name: "+", words: "zoom in", run: () => editor.timeline.zoom(1, editor.position) },
    { key: "-", name: "−", words: "zoom out", run: () => editor.timeline.zoom(-1, editor.position) },
    { key: "0", name: "0", words: "see the whole recording", run: () => editor.timeline.fit() },
  ]);
}
