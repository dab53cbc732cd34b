// One version of a release: heard and seen over its original, and reported if it is wrong.

import { ApiError, get, post } from "./api.js";
import { CurveView } from "./curve.js";
import { endOf, inFragmentTime, overlay } from "./melody.js";
import { announce, byId, notice } from "./page.js";
import { Duet, soundAt } from "./player.js";
import { curveAt, number } from "./release-curve.js";
import { gettext } from "./words.js";

// The one reason that needs words.
const OTHER = "other";

const plays = document.getElementById("plays");
const canvas = document.getElementById("curves");

function trouble(error) {
  if (!(error instanceof ApiError)) throw error;
  byId("notices").replaceChildren(notice("bad", error.message));
  announce(error.message, { urgent: true });
}

// ---------------------------------------------------------------- hearing and seeing

const duet = plays && new Duet(new AudioContext());
const view = canvas && new CurveView(canvas, { names: true, seconds: true, voice: gettext("This version, in the original’s key") });
const isOriginal = plays?.dataset.kind === "original";
const offset_s = number(plays?.dataset.offset) ?? 0;
const tempo_ratio = number(plays?.dataset.tempo) ?? 1;

async function drawCurves() {
  const { curve, originalCurve, transposition } = plays.dataset;
  const [own, reference] = await Promise.all([curveAt(curve), originalCurve ? curveAt(originalCurve) : null]);
  if (isOriginal) return view.set({ reference: own, from_s: 0, to_s: endOf(own) });
  const aligned = inFragmentTime(own, { offset_s, tempo_ratio });
  if (!reference) return view.set({ voice: aligned });
  return view.set({ reference, voice: overlay(reference, aligned, number(transposition)).curve, from_s: 0, to_s: endOf(reference) });
}

let sounds = null;

/** Both sounds, fetched at the first press. */
async function loaded() {
  const { audio, originalAudio } = plays.dataset;
  sounds ??= Promise.all([originalAudio ? soundAt(duet.context, originalAudio) : null, isOriginal ? null : soundAt(duet.context, audio)]);
  try {
    const [reference, voice] = await sounds;
    duet.load("reference", reference);
    if (voice) duet.load("voice", voice, offset_s, tempo_ratio);
  } catch (error) {
    sounds = null;
    throw error;
  }
}

function press(which) {
  document.querySelectorAll("[data-play]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.play === which)));
}

function follow() {
  if (!duet.playing || !view) return;
  view.set({ now_s: Math.max(0, duet.now_s) });
  requestAnimationFrame(follow);
}

function ended() {
  press(null);
  view?.set({ now_s: null });
}

async function play(which) {
  if (duet.playing?.which === which) return duet.stop();
  try {
    if (!sounds) await loaded();
    if (!await duet.play(which, { ended })) return undefined;
    press(which);
    return follow();
  } catch (error) {
    return trouble(error);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-play]");
  if (button) play(button.dataset.play);
});

if (canvas) drawCurves().catch(trouble);

// ---------------------------------------------------------------- reporting

const form = document.getElementById("report");
const open = document.getElementById("open-report");

function wrong(sentence, where) {
  const error = byId("report-error");
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  byId("report-words").setAttribute("aria-invalid", String(Boolean(sentence) && where === byId("report-words")));
  if (!sentence) return;
  announce(sentence, { urgent: true });
  where?.focus();
}

function choice({ code, label }, k, all) {
  const [line, input, words] = ["label", "input", "span"].map((name) => document.createElement(name));
  line.className = "check";
  Object.assign(input, { type: "radio", name: "reason", value: code, checked: all.length === 1 });
  words.textContent = label;
  line.append(input, words);
  return line;
}

/** The form, with the reasons that there are for this kind of version. */
async function ask() {
  open.disabled = true;
  try {
    const { reasons, longest_words } = await get(form.dataset.address);
    byId("reasons").append(...reasons.map(choice));
    byId("report-words").maxLength = longest_words;
    open.hidden = true;
    form.hidden = false;
    form.elements.reason[0]?.focus();
    if (reasons.length === 1) byId("report-words").focus();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("report-sent").replaceChildren(notice("bad", error.message));
    announce(error.message, { urgent: true });
  } finally {
    open.disabled = false;
  }
}

async function send(event) {
  event.preventDefault();
  const data = new FormData(form);
  const [reason, words] = [data.get("reason"), data.get("words").trim()];
  if (!reason) return wrong(gettext("Choose what is wrong with it."), form.elements.reason[0]);
  if (reason === OTHER && !words) return wrong(gettext("Please say in words what is wrong."), byId("report-words"));
  wrong("");
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  try {
    const { sentence } = await post(form.dataset.address, { reason, words });
    form.hidden = true;
    byId("report-sent").replaceChildren(notice("good", sentence));
    byId("report-sent").focus();
    return announce(sentence);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return wrong(error.message, null);
  } finally {
    button.disabled = false;
  }
}

if (form) {
  open.hidden = false;
  open.addEventListener("click", ask);
  form.addEventListener("submit", send);
}
