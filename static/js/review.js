// The double-check: fetch an item, hear and see both sides, judge, go on. Hands stay on the keyboard.

import { ApiError, get, getBytes, post } from "./api.js";
import { CurveView } from "./curve.js";
import { bindKeys } from "./keys.js";
import { endOf, inFragmentTime, overlay } from "./melody.js";
import { announce, byId, count, dataOf, notice } from "./page.js";
import { Duet } from "./player.js";
import { drawWaveform } from "./waveform.js";

const REASONS = dataOf("reasons");
// How far a version may be moved, ms: the server's limit.
const MOST_NUDGE_MS = 5000;
const VERSION_WORD = { hum: "Hum", cover: "Cover" };

const page = byId("review");
const context = new AudioContext();
const duet = new Duet(context);
const view = new CurveView(byId("curves"), { names: true, seconds: true });

/** What is on the desk: the item, its sound and curves, and what the reviewer did so far. */
let desk = null;
let lastVerdict = null;
let loop = false;

function show(name) {
  page.querySelectorAll("[data-in]").forEach((part) => { part.hidden = part.dataset.in !== name; });
}

function tell(...boxes) {
  byId("notices").replaceChildren(...boxes);
}

function trouble(error) {
  if (!(error instanceof ApiError)) throw error;
  tell(notice("bad", error.message));
  announce(error.message, { urgent: true });
}

// --- the next item

async function soundAt(path) {
  return context.decodeAudioData(await getBytes(path));
}

async function next() {
  show("loading");
  try {
    const { item, left } = await post("/api/review/next");
    if (!item) return nothingLeft();
    return await lay(item, left);
  } catch (error) {
    if (!desk) show("nothing");
    return trouble(error);
  }
}

function nothingLeft() {
  desk = null;
  show("nothing");
  announce("Nothing is left to double-check.");
}

async function lay(item, left) {
  const { original, version } = item;
  const [referenceSound, voiceSound, reference, voice] = await Promise.all([
    soundAt(original.audio_url), soundAt(version.audio_url), get(original.curve_url), get(version.curve_url),
  ]);
  desk = { item, referenceSound, voiceSound, reference, voice, shift_ms: 0, heard: false };
  duet.load("reference", referenceSound);
  duet.load("voice", voiceSound, offset(), version.tempo_ratio);
  show("item");
  describe(left);
  offerReasons(item.kind);
  drawAll();
  allow();
}

/** Where the fragment begins in the version, with the reviewer's correction: moving it later means reading it earlier. */
function offset() {
  const { offset_s, tempo_ratio } = desk.item.version;
  return offset_s - (desk.shift_ms / 1000) * tempo_ratio;
}

function describe(left) {
  const { kind, song, artist, phrase, phrases, similarity, version } = desk.item;
  byId("what").textContent = `${kind} · ${song}, phrase ${phrase} of ${phrases}`;
  byId("left").textContent = `${count(left, "item")} left`;
  const facts = [
    artist,
    `${kind === "hum" ? "similarity" : "correlation"} ${similarity?.toFixed(2) ?? "unknown"}`,
    `tempo ${version.tempo_ratio.toFixed(2)}`,
    version.transposition === null ? null : `${signed(version.transposition.toFixed(1))} semitones`,
    Math.abs(version.tempo_ratio - 1) > 0.01 ? "“both” brings it into step by its speed, so its pitch moves too" : null,
  ];
  byId("facts").textContent = facts.filter(Boolean).join(" · ");
  byId("version-name").textContent = kind;
  byId("play-voice-word").textContent = VERSION_WORD[kind];
  announce(`${byId("what").textContent}. ${byId("facts").textContent}. ${byId("left").textContent}.`);
}

function signed(text) {
  return Number(text) > 0 ? `+${text}` : text.replace("-", "−");
}

function offerReasons(kind) {
  const buttons = REASONS[kind].map(({ code, label }, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button button--small";
    button.dataset.reason = code;
    button.append(label);
    if (k < 9) {
      const key = document.createElement("kbd");
      key.className = "key";
      key.setAttribute("aria-hidden", "true");
      key.textContent = k + 1;
      button.append(" ", key);
    }
    button.addEventListener("click", () => reject(code));
    return button;
  });
  byId("reasons-of-this").replaceChildren(...buttons);
  byId("words-form").hidden = true;
}

// --- pictures

function drawWaves(now_s = null) {
  const to_s = desk.item.original.duration_s;
  drawWaveform(byId("wave-reference"), desk.referenceSound, { colour: "reference", to_s, now_s });
  const rate = desk.item.version.tempo_ratio;
  drawWaveform(byId("wave-voice"), desk.voiceSound, { colour: "voice", to_s, offset_s: offset(), rate, now_s });
}

function drawAll() {
  const { reference, voice, item } = desk;
  const onClock = inFragmentTime(voice, { offset_s: offset(), tempo_ratio: item.version.tempo_ratio });
  const { curve } = overlay(reference, onClock, item.version.transposition);
  view.set({ reference, voice: curve, now_s: null, from_s: 0, to_s: Math.max(endOf(reference), item.original.duration_s) });
  drawWaves();
}

function follow() {
  if (!duet.playing || !desk) return;
  const now_s = Math.max(0, duet.now_s);
  view.set({ now_s });
  drawWaves(now_s);
  requestAnimationFrame(follow);
}

addEventListener("resize", () => desk && drawWaves());
document.addEventListener("chad:theme", () => desk && drawWaves());

// --- sound

async function play(which) {
  if (!desk) return;
  if (duet.playing?.which === which) return void duet.stop();
  await start(which);
}

async function start(which) {
  await duet.play(which, { from_s: 0, ended: () => ended(which) });
  page.querySelectorAll("[data-play]").forEach((button) => button.setAttribute("aria-pressed", button.dataset.play === which));
  if (which !== "reference" && desk) {
    desk.heard = true;
    allow();
  }
  follow();
}

let stopped = false;

function ended(which) {
  page.querySelectorAll("[data-play]").forEach((button) => button.setAttribute("aria-pressed", "false"));
  view.set({ now_s: null });
  if (desk) drawWaves();
  if (loop && !stopped && desk) start(which);
}

/** Silence, and no loop brings it back. */
function stop() {
  stopped = true;
  duet.stop();
  stopped = false;
}

function toggleLoop() {
  loop = !loop;
  page.querySelector('[data-act="loop"]').setAttribute("aria-pressed", loop);
  announce(loop ? "Loop on." : "Loop off.");
}

// --- moving the version

function nudge(ms) {
  if (!desk) return;
  desk.shift_ms = Math.max(-MOST_NUDGE_MS, Math.min(MOST_NUDGE_MS, desk.shift_ms + ms));
  const which = duet.playing?.which;
  stop();
  duet.move("voice", offset());
  const words = desk.shift_ms ? `${signed(String(Math.round(desk.shift_ms)))} ms` : "as found";
  byId("nudge").textContent = words;
  drawAll();
  if (which) start(which);
}

function bindDrag(canvas) {
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    from = event.clientX;
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (from === null || !desk) return;
    nudge(((event.clientX - from) / canvas.clientWidth) * desk.item.original.duration_s * 1000);
    from = event.clientX;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { from = null; });
}

// --- verdicts

/** What may be pressed now. */
function allow() {
  page.querySelector('[data-act="accept"]').disabled = !desk?.heard;
  byId("hear-first").hidden = Boolean(desk?.heard);
  page.querySelectorAll('[data-act="undo"]').forEach((button) => {
    button.disabled = lastVerdict === null;
    button.hidden = lastVerdict === null && button.closest('[data-in="nothing"]') !== null;
  });
}

function accept() {
  if (!desk) return;
  if (!desk.heard) {
    announce("Listen to it before you accept it.", { urgent: true });
    return;
  }
  judge({ decision: "accept" }, "Accepted.");
}

function reject(reason, words = "") {
  if (!desk) return;
  if (reason === "other" && !words) {
    byId("words-form").hidden = false;
    byId("words").focus();
    return;
  }
  judge({ decision: "reject", reason, words }, "Rejected.");
}

async function judge(verdict, said) {
  const { item, shift_ms } = desk;
  const nudge_s = -(shift_ms / 1000) * item.version.tempo_ratio;
  stop();
  tell();
  desk = null;
  try {
    lastVerdict = (await post(`/api/review/${item.id}/verdict`, { ...verdict, nudge_s })).verdict;
    announce(said);
  } catch (error) {
    trouble(error);
  }
  resetNudge();
  allow();
  await next();
}

function resetNudge() {
  byId("nudge").textContent = "as found";
  byId("words").value = "";
}

async function undo() {
  if (lastVerdict === null) return;
  stop();
  try {
    const { item, left } = await post(`/api/review/verdicts/${lastVerdict}/undo`);
    lastVerdict = null;
    await lay(item, left);
    const back = notice("info", "Your verdict is taken back. Judge it again.");
    tell(back);
  } catch (error) {
    trouble(error);
  }
  allow();
}

// --- hands

const ACTS = { next, undo, accept, stop, loop: toggleLoop };

page.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.act) ACTS[button.dataset.act]();
  if (button.dataset.play) play(button.dataset.play);
  if (button.dataset.nudge) nudge(Number(button.dataset.nudge));
});

byId("words-form").addEventListener("submit", (event) => {
  event.preventDefault();
  reject("other", byId("words").value.trim());
});

function reasonNumber(number) {
  const reason = desk && REASONS[desk.item.kind][number - 1];
  if (reason) reject(reason.code);
}

bindDrag(byId("wave-voice"));
bindKeys([
  { key: "a", name: "A", words: "the original", run: () => play("reference") },
  { key: "s", name: "S", words: "this version", run: () => play("voice") },
  { key: "d", name: "D", words: "both, left and right", run: () => play("both") },
  { key: "l", name: "L", words: "loop on or off", run: toggleLoop },
  { key: " ", name: "Space", words: "stop, or play both", run: () => (duet.playing ? stop() : play("both")) },
  { key: ",", name: ",", words: "5 ms earlier", run: () => nudge(-5) },
  { key: ".", name: ".", words: "5 ms later", run: () => nudge(5) },
  { key: "<", name: "<", words: "50 ms earlier", run: () => nudge(-50) },
  { key: ">", name: ">", words: "50 ms later", run: () => nudge(50) },
  { key: "y", name: "Y", words: "same and in step", run: accept },
  { key: "n", name: "N", words: "to the reasons against it", run: () => byId("reasons-of-this").querySelector("button")?.focus() },
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((number) => ({
    key: String(number), name: String(number), words: `not: reason ${number}`, run: () => reasonNumber(number),
  })),
  { key: "u", name: "U", words: "take the last verdict back", run: undo },
]);

allow();
next();
