// A singer's own takes: small curves drawn as they come into view, each take heard, and withdrawn after a question.

import { ApiError, get, post } from "./api.js";
import { CurveView } from "./curve.js";
import { lookNow } from "./live.js";
import { inFragmentTime, overlay } from "./melody.js";
import { announce, byId, notice } from "./page.js";
import { Duet, soundAt } from "./player.js";
import { gettext, interpolate } from "./words.js";

// As on the humming page: the line, not its vibrato. Seconds.
const SMOOTH_S = 0.12;

// --- curves

function number(text) {
  return text === "" || text === undefined ? null : Number(text);
}

/** The melody and the take over it, in its key and time, where the check found them. */
async function draw(figure) {
  const { reference: melodyAt, curve: takeAt, offset, tempo, transposition } = figure.dataset;
  const view = new CurveView(figure.querySelector("canvas"), { smooth_s: SMOOTH_S });
  const [reference, own] = await Promise.all([get(melodyAt), get(takeAt)]);
  const aligned = inFragmentTime(own, { offset_s: number(offset) ?? 0, tempo_ratio: number(tempo) ?? 1 });
  const end_s = reference.pitch.length * reference.hop_s;
  view.set({ reference, voice: overlay(reference, aligned, number(transposition)).curve, from_s: 0, to_s: end_s });
}

async function drawQuietly(figure) {
  try {
    await draw(figure);
  } catch (error) {
    // Without its picture a take is still all there.
    if (!(error instanceof ApiError)) throw error;
  }
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    drawQuietly(target);
  }
}, { rootMargin: "200px" });

/** The server writes its own time; here it becomes the reader's. */
function tellLocalTime(element) {
  const how = { day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" };
  element.textContent = new Date(element.dateTime).toLocaleString(document.documentElement.lang || "en", how);
}

function watch(place) {
  place.querySelectorAll("time").forEach(tellLocalTime);
  place.querySelectorAll("[data-curve]").forEach((figure) => seen.observe(figure));
}

// --- sound

const context = new AudioContext();
const duet = new Duet(context);
let pressed = null;

function release() {
  pressed?.setAttribute("aria-pressed", "false");
  pressed = null;
}

async function play(button) {
  const again = pressed === button;
  duet.stop();
  release();
  if (again) return;
  pressed = button;
  button.setAttribute("aria-pressed", "true");
  try {
    await load(button);
    if (pressed === button) await duet.play(button.dataset.play, { ended: () => pressed === button && release() });
  } catch (error) {
    release();
    if (!(error instanceof ApiError)) throw error;
    byId("notices").replaceChildren(notice("bad", error.message));
    announce(error.message, { urgent: true });
  }
}

/** Fetches what the button plays; the take alone is heard from its very beginning. */
async function load(button) {
  const { offset, tempo } = button.closest(".take").querySelector(".take__curve").dataset;
  const both = button.dataset.play === "both";
  const [voice, reference] = await Promise.all([
    soundAt(context, button.dataset.voice), both ? soundAt(context, button.dataset.reference) : null,
  ]);
  duet.load("voice", voice, both ? number(offset) ?? 0 : 0, both ? number(tempo) ?? 1 : 1);
  duet.load("reference", reference);
}

// --- withdrawing

const dialog = byId("withdraw");
let asked = null;

function ask(button) {
  asked = button;
  byId("withdraw-title").textContent = interpolate(gettext("Withdraw your hum of “%(title)s”?"), { title: button.dataset.title });
  byId("withdraw-error").hidden = true;
  tellWhatItTouches(button);
  dialog.showModal();
}

const usual = [...byId("withdraw-words").children];

/** The usual words at once, then those about this very take: whether a release that is out holds it, and the like. */
async function tellWhatItTouches(button) {
  byId("withdraw-words").replaceChildren(...usual);
  try {
    const { sentences } = await get(button.dataset.touches);
    if (asked === button) byId("withdraw-words").replaceChildren(...sentences.map(paragraph));
  } catch (error) {
    // The usual words say what always holds.
    if (!(error instanceof ApiError)) throw error;
  }
}

function paragraph(sentence) {
  const element = document.createElement("p");
  element.textContent = sentence;
  return element;
}

async function withdraw() {
  const error = byId("withdraw-error");
  error.hidden = true;
  byId("withdraw-now").disabled = true;
  try {
    await post(asked.dataset.withdraw);
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    error.hidden = false;
    error.querySelector("span").textContent = problem.message;
    announce(problem.message, { urgent: true });
    return;
  } finally {
    byId("withdraw-now").disabled = false;
  }
  const take = asked.closest(".take");
  dialog.close();
  asked.blur();
  await lookNow(take);
  take.querySelector("button")?.focus();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.play) play(button);
  if (button?.dataset.withdraw) ask(button);
});
byId("withdraw-now").addEventListener("click", withdraw);
document.addEventListener("chad:live", (event) => {
  duet.stop();
  watch(event.target);
});
watch(document);
