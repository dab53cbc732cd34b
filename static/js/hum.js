// The humming page: a phrase, the take, its way to the server, its outcome. Parts: studio.js (sound on one clock),
// outbox.js (nothing is lost), take-check.js (before sending), curve.js (the picture), hum-words.js (what is said).

import { ApiError, get, getBytes, post } from "./api.js";
import { CurveView } from "./curve.js";
import { bindKeys } from "./keys.js";
import { Lease } from "./lease.js";
import { LevelMeter } from "./level-meter.js";
import { LiveVoice } from "./live-voice.js";
import { bestDelay, inFragmentTime, overlay } from "./melody.js";
import * as outbox from "./outbox.js";
import { announce, byId, dataOf, icon, linkButton, notice, remember, remembered } from "./page.js";
import { Duet } from "./player.js";
import { NoMicrophone, Studio } from "./studio.js";
import { checkTake } from "./take-check.js";
import { encodeWav, sha256 } from "./wav.js";
import * as words from "./hum-words.js";

const MODE_KEY = "chad-hum-mode";

// The check is asked after so often, then more slowly, then no more (My takes shows it), ms and times.
const POLL_MS = [...Array(20).fill(700), ...Array(25).fill(2000)];

// What waits is tried again after this long, ms.
const RETRY_MS = 20_000;

// Below this agreement (0..1) the guessed delay of a take is no better than the count-in's.
const TRUSTED_AGREEMENT = 0.35;

// How far from its due time a voice is looked for, seconds.
const EARLY_S = 0.5;
const LATE_S = { along: 0.8, after: 3 };

// The picture shows the tune, not the tremble in it, seconds.
const SMOOTH_S = 0.18;

const root = byId("hum");
const person = root.dataset.user;
const act = byId("act");
const view = new CurveView(byId("curve"), { smooth_s: SMOOTH_S });
const meter = new LevelMeter({ box: byId("level"), canvas: byId("level-bars"), word: byId("level-word") });

// The page may be opened for one song (?song=id): its phrases come first, until none is left.
let song = new URLSearchParams(location.search).get("song");

let state = "";
let studio = null;
let duet = null;
let task = null; // {id, fragment, buffer, curve, heard}
let lease = null;
let under = null; // the Take under way
let take = null; // the last one: {id, title, samples, …, voice, offset_s, findings, outcome}
let progress = null;

// ---------------------------------------------------------------- states

const PLAYS = { reference: byId("play-reference"), voice: byId("play-voice"), both: byId("play-both") };

function chosenMode() {
  return document.querySelector('input[name="mode"]:checked').value;
}

function mustAgain() {
  return take?.findings.length > 0;
}

function isRefused() {
  return take?.outcome?.state === "refused";
}

/** The big button in each state: icon, words, key, tone and what it does. */
const MAIN = {
  ready: () => ({ icon: "mic", words: humWords(), key: "Space", tone: "voice", run: record }),
  busy: () => ({ icon: "square", words: "Stop", key: "Space", tone: "stop", run: () => under.stop() }),
  taken: () => (mustAgain()
    ? { icon: "mic", words: "Hum it again", key: "A", tone: "voice", run: again }
    : { icon: "send", words: "Send", key: "Enter", tone: "ink", run: sendTake }),
  sending: () => ({ icon: "send", words: "Sending", key: "", tone: "ink", run: null }),
  sent: () => (isRefused()
    ? { icon: "rotate-ccw", words: "Hum it again", key: "A", tone: "voice", run: again }
    : { icon: "arrow-right", words: "Next phrase", key: "N", tone: "ink", run: () => nextTask() }),
};

function humWords() {
  if (chosenMode() === "along") return "Hum along";
  return task?.heard ? "Hum now" : "Listen, then hum";
}

function showMain() {
  const face = MAIN[state]?.();
  if (!face) return;
  byId("act-face").replaceChildren(icon(face.icon));
  byId("act-word").textContent = face.words;
  byId("act-key").textContent = face.key;
  byId("act-key").hidden = !face.key;
  act.dataset.tone = face.tone;
  act.disabled = !face.run;
}

function showRow() {
  const still = !["busy", "sending"].includes(state);
  for (const [which, button] of Object.entries(PLAYS)) {
    const playing = duet?.playing?.which === which;
    button.disabled = !(still && duet?.has(which));
    button.setAttribute("aria-pressed", String(playing));
    button.querySelector(".icon").replaceWith(icon(playing ? "square" : "play"));
  }
  byId("again").disabled = !(state === "taken" || (state === "sent" && isRefused()));
  byId("skip-menu").inert = !(["ready", "taken"].includes(state) || (state === "sent" && isRefused())); // keeps its room
  document.querySelectorAll('input[name="mode"]').forEach((input) => { input.disabled = state === "busy"; });
}

function show() {
  root.dataset.state = state;
  root.querySelectorAll("[data-in]").forEach((part) => { part.hidden = !part.dataset.in.split(" ").includes(state); });
  showMain();
  showRow();
}

function enter(next) {
  state = next;
  show();
}

function say(...notices) {
  byId("outcome").replaceChildren(...notices);
  announce(notices.map((box) => box.innerText).join(" "));
}

// ---------------------------------------------------------------- notices above the stage

function warn(name, kind, sentence, ...more) {
  const box = notice(kind, sentence, ...more);
  box.dataset.name = name;
  unwarn(name);
  byId("notices").append(box);
  announce(sentence, { urgent: kind === "bad" });
}

function unwarn(name) {
  byId("notices").querySelector(`[data-name="${name}"]`)?.remove();
}

function signInLink() {
  const link = document.createElement("a");
  link.href = root.dataset.signInUrl;
  link.textContent = "Sign in";
  return link;
}

/** Runs a call; a refusal becomes a notice with a way on. Returns whether it went well. */
async function tried(work, retry = null) {
  try {
    unwarn("call");
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === "consent_first") enter("consent");
    else if (error.signedOut) warn("call", "bad", error.message, signInLink());
    else warn("call", "bad", error.message, ...(retry ? [linkButton("Try again", retry)] : []));
    return false;
  }
}

// ---------------------------------------------------------------- consent and microphone

async function agree() {
  if (await tried(() => post("/api/hum/consent"), agree)) {
    enter(studio ? "loading" : "microphone");
    if (studio) await nextTask();
    else byId("open-microphone").focus();
  }
}

async function openMicrophone() {
  const button = byId("open-microphone");
  button.disabled = true;
  unwarn("microphone");
  try {
    studio = await Studio.open();
  } catch (error) {
    if (!(error instanceof NoMicrophone)) throw error;
    warn("microphone", "bad", words.MICROPHONE[error.code]);
    return;
  } finally {
    button.disabled = false;
  }
  duet = new Duet(studio.context);
  studio.hear((block) => meter.hear(block));
  studio.track.addEventListener("ended", microphoneGone);
  if (studio.processing.length) warn("processing", "warning", words.processingStays(studio.processing));
  // "My takes" leads here with a phrase that is to be hummed again.
  await nextTask(new URLSearchParams(location.search).get("fragment"));
}

async function microphoneGone() {
  under?.cancel();
  await studio.close();
  studio = null;
  endTask();
  warn("microphone", "bad", words.MICROPHONE.gone);
  enter("microphone");
}

// ---------------------------------------------------------------- the task

function endTask() {
  duet?.stop();
  lease?.close();
  lease = null;
  task = null;
  take = null;
  unwarn("lease");
}

/** The next phrase, or the named one once more. */
async function nextTask(fragment = null) {
  act.disabled = true;
  if (!task) enter("loading");
  const went = await tried(async () => {
    const answer = await post("/api/hum/task", { ...(fragment && { fragment }), ...(song && { song }) });
    progress = answer.progress ?? progress;
    if (!answer.task && song) {
      song = null;
      await nextTask();
      return;
    }
    if (answer.task) await openTask(answer.task);
    else if (fragment) await nextTask();
    else showNothing(answer.reason);
  }, () => nextTask(fragment));
  if (!went) showMain();
}

async function openTask({ id, expires_at, fragment }) {
  const [bytes, curve] = await Promise.all([getBytes(fragment.audio_url), get(fragment.curve_url)]);
  const buffer = await studio.context.decodeAudioData(bytes);
  endTask();
  task = { id, fragment, buffer, curve, heard: false };
  lease = new Lease(`/api/hum/task/${id}/extend`, expires_at, leaseTold);
  duet.load("reference", buffer);
  duet.load("voice", null);
  byId("song").textContent = fragment.song;
  byId("phrase").textContent = words.place(fragment);
  view.set({ reference: curve, voice: null, now_s: null });
  enter("ready");
  showProgress();
  act.focus({ preventScroll: true });
  announce(`${fragment.song}. ${words.place(fragment)}`);
}

function showNothing(reason) {
  endTask();
  byId("nothing-words").textContent = reason;
  enter("nothing");
  announce(reason);
}

function leaseTold(event, seconds) {
  unwarn("lease");
  if (event === "ending") warn("lease", "warning", words.leaseEnding(seconds), linkButton("Keep it", () => lease?.extend()));
  if (event === "over") warn("lease", "warning", words.LEASE_OVER);
}

async function skip(why) {
  byId("skip-menu").open = false;
  if (await tried(() => post(`/api/hum/task/${task.id}/skip`, { why }))) await nextTask();
}

// ---------------------------------------------------------------- listening

function play(which) {
  if (PLAYS[which].disabled) return;
  if (duet.playing?.which === which) {
    duet.stop();
    return;
  }
  duet.play(which, { ended: () => { view.set({ now_s: null }); showRow(); } }).then(() => { showRow(); follow(); });
  if (which !== "voice") task.heard = true;
}

/** The now-line runs along with what is heard. */
function follow() {
  if (!duet?.playing) return;
  view.set({ now_s: duet.now_s });
  requestAnimationFrame(follow);
}

// ---------------------------------------------------------------- recording

async function record() {
  duet.stop();
  unwarn("earlier");
  unwarn("waited");
  take = null;
  duet.load("voice", null);
  byId("outcome").replaceChildren();
  under = await studio.record({ reference: task.buffer, mode: chosenMode(), heard: task.heard });
  const { outputLatency, baseLatency } = studio.context;
  const voice = new LiveVoice(under, (outputLatency || 0) + (baseLatency || 0));
  const unhear = studio.hear((block) => voice.push(block));
  view.set({ voice: null, now_s: 0 });
  enter("busy");
  watch({ phase: "", warned: false }, voice);
  const recorded = await under.done;
  unhear();
  under = null;
  byId("count").textContent = "";
  if (recorded) taken(recorded, voice);
  else stopped();
}

function stopped() {
  view.set({ now_s: null, voice: null });
  enter("ready");
  announce(words.STOPPED);
}

const PHASE_WORDS = { listen: `${words.LISTEN}.`, count: words.READY, hum: words.RECORDING };

/** Once a frame while a take is under way: the count, the now-line, the voice, and what is said aloud. */
function watch(told, voice) {
  if (!under) return;
  const { phase, left, listen_s } = under.progress;
  lease?.touch();
  if (phase !== told.phase) announce(PHASE_WORDS[phase], { urgent: phase === "hum" });
  showCount(phase, left);
  if (phase === "hum" && !told.warned && under.phrase_s - under.now_s < 3 && under.phrase_s > 5) {
    announce(words.THREE_LEFT);
    told.warned = true;
  }
  told.phase = phase;
  view.set({
    now_s: phase === "listen" ? listen_s : under.now_s,
    voice: phase === "hum" ? overlay(task.curve, voice.curve).curve : null,
  });
  requestAnimationFrame(() => watch(told, voice));
}

function showCount(phase, left) {
  const count = byId("count");
  const text = { listen: words.LISTEN, count: String(left), hum: "" }[phase];
  if (count.textContent !== text) count.textContent = text;
  count.toggleAttribute("data-small", phase === "listen");
}

/** Where the phrase begins in the take: by the curves where they agree, else by the count-in. */
function guessOffset(recorded, curve) {
  const span = { from_s: recorded.zero_s - EARLY_S, to_s: recorded.zero_s + LATE_S[recorded.mode] };
  const { delay_s, agreement } = bestDelay(task.curve, curve, span);
  return agreement >= TRUSTED_AGREEMENT ? delay_s : recorded.zero_s;
}

function taken(recorded, voice) {
  const curve = voice.inTake;
  const offset_s = guessOffset(recorded, curve);
  const findings = checkTake({ ...recorded, curve }, task.fragment.duration_s);
  take = { ...recorded, title: task.fragment.song, offset_s, findings, outcome: null };
  task.heard = true;
  const buffer = new AudioBuffer({ length: recorded.samples.length, sampleRate: recorded.sampleRate });
  buffer.copyToChannel(recorded.samples, 0);
  take.buffer = buffer;
  duet.load("voice", buffer, offset_s);
  view.set({ now_s: null, voice: overlay(task.curve, inFragmentTime(curve, { offset_s })).curve });
  enter("taken");
  sayFindings(findings);
}

function sayFindings(findings) {
  if (!findings.length) return say(notice("good", words.FINE));
  const stops = findings.some((finding) => finding.stop);
  const boxes = findings.map((finding) => notice(finding.stop ? "bad" : "warning", finding.sentence));
  if (!stops) boxes.at(-1).lastElementChild.append(" ", linkButton(words.SEND_ANYWAY, sendTake));
  return say(...boxes);
}

async function again() {
  if (byId("again").disabled) return;
  if (state === "taken") await record();
  else await nextTask(task.fragment.id);
}

// ---------------------------------------------------------------- sending

function captureFacts() {
  return {
    sample_rate: take.sampleRate,
    frames: take.samples.length,
    mode: take.mode,
    reference_start_frame: take.referenceStartFrame,
    gaps: take.gaps,
    track_settings: studio.settings,
    context: studio.facts(),
  };
}

async function packed() {
  const wav = encodeWav(take.samples, take.sampleRate);
  return {
    id: crypto.randomUUID(), user: person, title: take.title, wav, sha256: await sha256(wav), task: task.id, capture: captureFacts(),
  };
}

async function keepSafe(item) {
  try {
    await outbox.keep(item);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    warn("outbox", "warning", words.NO_OUTBOX);
  }
}

async function sendTake() {
  if (state !== "taken" || take.findings.some((finding) => finding.stop)) return;
  duet.stop();
  enter("sending");
  say(notice("info", words.SENDING));
  lease?.close();
  const item = await packed();
  take.id = item.id;
  await keepSafe(item);
  const mine = take;
  const saved = await deliver(item);
  if (take === mine) {
    enter("sent");
    if (saved) say(notice("info", words.CHECKING));
  }
  await showProgress();
  if (saved) await followCheck(mine);
}

/** Sends what is kept; on success it is forgotten here. Says what happened otherwise. Returns whether it is saved. */
async function deliver(item) {
  try {
    const { status } = await outbox.send(item);
    await outbox.forget(item.id);
    if (progress && status === 201) progress = { ...progress, today: progress.today + 1, all: progress.all + 1 };
    unwarn(item.id);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    sayUnsent(item, error);
    return false;
  }
}

function sayUnsent(item, error) {
  const current = item.id === take?.id && state === "sending";
  const place = current ? (box) => say(box) : (box) => { unwarn(item.id); box.dataset.name = item.id; byId("notices").append(box); };
  if (error.signedOut) place(notice("warning", words.KEPT_SIGNED_OUT, signInLink()));
  else if (error.status === 0) place(notice("warning", words.KEPT_OFFLINE));
  else if (error.passing) place(notice("warning", words.KEPT_BUSY));
  else place(notice("bad", words.couldNotSend(item.title, error.message), linkButton("Try again", () => sendWaiting()), linkButton("Discard it", () => discard(item.id))));
  if (error.passing) setTimeout(sendWaiting, RETRY_MS);
}

async function discard(id) {
  await outbox.forget(id);
  unwarn(id);
  await showProgress();
}

let sendingAll = false;

/** Everything of this person that waits, one after another. */
async function sendWaiting() {
  if (sendingAll) return;
  sendingAll = true;
  try {
    const items = (await waitingHere()).filter((item) => item.user === person && !(item.id === take?.id && state === "sending"));
    let saved = 0;
    for (const item of items) {
      if (!(await deliver(item))) break;
      saved += 1;
    }
    if (saved) warn("waited", "good", words.waitedSaved(saved));
    if (items.length && state === "sent" && !take?.outcome) await resumeCheck();
  } finally {
    sendingAll = false;
  }
  await showProgress();
}

/** The take on the stage was kept offline and has now been sent: go on with its check. */
async function resumeCheck() {
  const waits = await waitingHere();
  if (!take?.id || waits.some((item) => item.id === take.id)) return;
  say(notice("info", words.CHECKING));
  followCheck(take);
}

async function waitingHere() {
  try {
    return await outbox.waiting();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return [];
  }
}

async function showProgress() {
  const waits = await waitingHere();
  const own = waits.filter((item) => item.user === person).length;
  if (progress) byId("progress").textContent = words.progress(progress, own);
  if (waits.length > own) warn("others", "info", words.othersWait(waits.length - own));
}

// ---------------------------------------------------------------- the outcome

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function askCheck(id) {
  for (const ms of POLL_MS) {
    await pause(ms);
    try {
      const outcome = await get(`/api/hums/${id}`);
      if (outcome.state !== "waiting") return outcome;
    } catch (error) {
      if (!(error instanceof ApiError && error.passing)) throw error;
    }
  }
  return null;
}

/** Waits for the automatic check of a take; shows it on the stage, or above it when the singer has gone on. */
async function followCheck(mine) {
  const outcome = await askCheck(mine.id);
  const onStage = take === mine;
  if (!outcome) {
    if (onStage) say(notice("info", words.SLOW_CHECK));
    return;
  }
  mine.outcome = outcome;
  if (onStage) await showOutcome(outcome);
  else warn("earlier", outcome.state === "accepted" ? "good" : "warning", words.earlier(mine.title, outcome.state === "accepted"));
}

async function showOutcome(outcome) {
  const accepted = outcome.state === "accepted";
  const sentences = [...outcome.sentences];
  if (accepted && outcome.surplus) sentences.unshift(words.SURPLUS);
  if (accepted) sentences.unshift(words.ACCEPTED);
  if (outcome.state === "withdrawn") sentences.unshift(words.WITHDRAWN);
  show();
  say(notice(accepted ? "good" : "warning", sentences.join(" ")));
  if (outcome.curve_url && outcome.offset_s !== null) await tried(() => showCheckedCurve(outcome));
}

async function showCheckedCurve(outcome) {
  const curve = await get(outcome.curve_url);
  if (take?.id !== outcome.id) return;
  view.set({ voice: overlay(task.curve, inFragmentTime(curve, outcome), outcome.transposition).curve });
  duet.load("voice", take.buffer, outcome.offset_s);
  showRow();
}

// ---------------------------------------------------------------- wiring

function bindButtons() {
  byId("agree").addEventListener("click", agree);
  byId("open-microphone").addEventListener("click", openMicrophone);
  byId("look-again").addEventListener("click", () => nextTask());
  act.addEventListener("click", () => MAIN[state]?.().run?.());
  byId("again").addEventListener("click", again);
  for (const [which, button] of Object.entries(PLAYS)) button.addEventListener("click", () => play(which));
  document.querySelectorAll("[data-skip]").forEach((button) => button.addEventListener("click", () => skip(button.dataset.skip)));
}

function bindModes() {
  const remembrance = remembered(MODE_KEY);
  document.querySelectorAll('input[name="mode"]').forEach((input) => {
    if (input.value === remembrance) input.checked = true;
    input.addEventListener("change", () => { remember(MODE_KEY, input.value); showMain(); });
  });
}

function onlyIn(states, run) {
  return () => { if (states.includes(state)) run(); };
}

function bindCommands() {
  bindKeys([
    { key: " ", name: "Space", words: "start or stop", run: onlyIn(["ready", "busy"], () => MAIN[state]().run()) },
    { key: "l", name: "L", words: "listen to the melody", run: () => play("reference") },
    { key: "m", name: "M", words: "hear yourself", run: () => play("voice") },
    { key: "b", name: "B", words: "hear both", run: () => play("both") },
    { key: "a", name: "A", words: "hum it again", run: again },
    { key: "Enter", name: "Enter", words: "send", run: onlyIn(["taken"], sendTake) },
    { key: "n", name: "N", words: "next phrase, when sent", run: onlyIn(["sent"], () => nextTask()) },
    { key: "Escape", name: "Esc", words: "stop", run: () => { under?.cancel(); duet?.stop(); } },
  ]);
}

function bindWorld() {
  window.addEventListener("online", sendWaiting);
  ["pointerdown", "keydown"].forEach((event) => document.addEventListener(event, () => lease?.touch()));
  window.addEventListener("unhandledrejection", () => warn("broken", "bad", words.PAGE_BROKE));
  window.addEventListener("error", () => warn("broken", "bad", words.PAGE_BROKE));
  // Asks the browser not to clear the outbox when the disk fills up; it may say no.
  navigator.storage?.persist?.();
}

bindButtons();
bindModes();
bindCommands();
bindWorld();
enter(dataOf("consent-needed") ? "consent" : "microphone");
sendWaiting();
