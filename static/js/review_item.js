// One item as an admin sees it: both sides to hear and see, and a decision that stands whatever the verdicts say.

import { ApiError, get, post } from "./api.js";
import { CurveView } from "./curve.js";
import { bindKeys } from "./keys.js";
import { lookNow } from "./live.js";
import { endOf, inFragmentTime, overlay } from "./melody.js";
import { announce, byId, dataOf, notice } from "./page.js";
import { Duet, soundAt } from "./player.js";

const about = dataOf("about");
const canvas = document.getElementById("curves");
const form = document.getElementById("overrule");
const { original, version } = about;

function trouble(error) {
  if (!(error instanceof ApiError)) throw error;
  byId("notices").replaceChildren(notice("bad", error.message));
  announce(error.message, { urgent: true });
}

// --- both sides

const duet = canvas && new Duet(new AudioContext());
const view = canvas && new CurveView(canvas, { names: true, seconds: true, voice: "The version, in the original’s key" });

async function drawCurves() {
  try {
    const [reference, voice] = await Promise.all([get(original.curve_url), get(version.curve_url)]);
    const onClock = inFragmentTime(voice, { offset_s: version.offset_s ?? 0, tempo_ratio: version.tempo_ratio ?? 1 });
    const { curve } = overlay(reference, onClock, version.transposition);
    view.set({ reference, voice: curve, from_s: 0, to_s: Math.max(endOf(reference), original.duration_s) });
  } catch (error) {
    trouble(error);
  }
}

let sounds = null;

async function loaded() {
  sounds ??= Promise.all([soundAt(duet.context, original.audio_url), soundAt(duet.context, version.audio_url)]);
  try {
    const [reference, voice] = await sounds;
    if (duet.has("both")) return;
    duet.load("reference", reference);
    duet.load("voice", voice, version.offset_s ?? 0, version.tempo_ratio ?? 1);
  } catch (error) {
    sounds = null;
    throw error;
  }
}

function follow() {
  if (!duet.playing) return;
  view.set({ now_s: Math.max(0, duet.now_s) });
  requestAnimationFrame(follow);
}

function press(which) {
  document.querySelectorAll("[data-play]").forEach((button) => button.setAttribute("aria-pressed", button.dataset.play === which));
}

async function play(which) {
  if (!duet) return;
  if (duet.playing?.which === which) {
    duet.stop();
    return;
  }
  try {
    await loaded();
    const plays = await duet.play(which, { from_s: 0, ended: () => { press(null); view.set({ now_s: null }); } });
    if (!plays) return;
    press(which);
    follow();
  } catch (error) {
    trouble(error);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-play]");
  if (button) play(button.dataset.play);
});

// --- the decision

function wrong(sentence, where) {
  const error = byId("overrule-error");
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  form.elements.why.setAttribute("aria-invalid", String(Boolean(sentence) && where === form.elements.why));
  if (!sentence) return;
  announce(sentence, { urgent: true });
  where?.focus();
}

async function decide(event) {
  event.preventDefault();
  const { decision, why } = form.elements;
  if (!decision.value) return wrong("Choose whether it is accepted or rejected.", decision[0]);
  if (!why.value.trim()) return wrong("Please say why: the reason stays beside the decision.", why);
  wrong("");
  try {
    await post(form.dataset.address, { decision: decision.value, why: why.value.trim() });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return wrong(error.message, why);
  }
  announce(decision.value === "accept" ? "It is accepted." : "It is rejected.");
  form.reset();
  return lookNow(document.querySelector('[data-live="stands"]'));
}

form?.addEventListener("submit", decide);

// --- hands

if (canvas) drawCurves();
bindKeys([
  { key: "a", name: "A", words: "the original", run: () => play("reference") },
  { key: "s", name: "S", words: "this version", run: () => play("voice") },
  { key: "d", name: "D", words: "both, left and right", run: () => play("both") },
  { key: " ", name: "Space", words: "stop, or play both", run: () => (duet?.playing ? duet.stop() : play("both")) },
  { key: "o", name: "O", words: "to the decision", run: () => form?.elements.decision[0].focus() },
]);
