// The humming page: a phrase, the take, its way to the server, its outcome. Parts: studio.js (sound on one clock),
// sound-check-view.js (microphone and headphones), outbox.js and delivery.js (nothing is lost), take-check.js (before
// sending), curve.js (the picture), hum-words.js (what is said).

import { ApiError, csrfToken, get, getBytes, post } from "./api.js";
import { CurveView } from "./curve.js";
import * as delivery from "./delivery.js";
import { deviceClass } from "./device.js";
import { discard, offerDrafts } from "./drafts.js";
import { bindKeys } from "./keys.js";
import { Lease } from "./lease.js";
import { LevelMeter } from "./level-meter.js";
import { LiveVoice } from "./live-voice.js";
import { bestDelay, inFragmentTime, overlay } from "./melody.js";
import { say, unwarn, warn } from "./notices.js";
import * as outbox from "./outbox.js";
import { announce, byId, dataOf, icon, isShown, linkButton, notice, remember, remembered } from "./page.js";
import { Duet } from "./player.js";
import { SoundCheck } from "./sound-check-view.js";
import { NoMicrophone, Studio } from "./studio.js";
import { checkTake } from "./take-check.js";
import { encodeWav, sha256 } from "./wav.js";
import * as words from "./hum-words.js";
import { gettext } from "./words.js";

const MODE_KEY = "chad-hum-mode";

// The check is asked after so often, then more slowly, then no more (My takes shows it), ms and times.
const POLL_MS = [...Array(20).fill(700), ...Array(25).fill(2000)];

// Below this agreement (0..1) the guessed delay of a take is no better than the count-in's.
const TRUSTED_AGREEMENT = 0.35;

// How far from its due time a voice is looked for, seconds.
const EARLY_S = 0.5;
const LATE_S = { along: 0.8, after: 3 };

// The picture shows the tune, not the tremble in it, seconds.
const SMOOTH_S = 0.18;

const root = byId("hum");
const isGuest = () => root.dataset.guest !== undefined;
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
let checked = null; // what the sound check found of this stream, or null
let devices = null; // which devices there were when it did
let mustCheck = false; // whether they are others by now
let take = null; // the last one: {id, title, samples, …, offset_s, findings, item, outcome}
let progress = null;

// ---------------------------------------------------------------- states

const PLAYS = { reference: byId("play-reference"), voice: byId("play-voice"), both: byId("play-both") };

function chosenMode() {
  return document.querySelector('input[name="mode"]:checked').value;
}

function mustAgain() {
  return take?.findings.some((finding) => finding.again);
}

function isRefused() {
  return take?.outcome?.state === "refused";
}

/** The big button in each state: icon, words, key, tone and what it does. */
const MAIN = {
  ready: () => ({ icon: "mic", words: humWords(), key: words.SPACE, tone: "voice", run: record }),
  busy: () => ({ icon: "square", words: words.ACTS.stop, key: words.SPACE, tone: "stop", run: () => under.stop() }),
  taken: () => (mustAgain()
    ? { icon: "mic", words: words.ACTS.again, key: "A", tone: "voice", run: again }
    : { icon: "send", words: words.ACTS.send, key: "Enter", tone: "ink", run: sendTake }),
  sending: () => ({ icon: "send", words: words.ACTS.sending, key: "", tone: "ink", run: null }),
  sent: () => (isRefused()
    ? { icon: "rotate-ccw", words: words.ACTS.again, key: "A", tone: "voice", run: again }
    : { icon: "arrow-right", words: words.ACTS.next, key: "N", tone: "ink", run: () => nextTask() }),
};

function humWords() {
  if (chosenMode() === "along") return words.ACTS.along;
  return task?.heard ? words.ACTS.now : words.ACTS.listen;
}

function showMain() {
  const face = MAIN[state]?.();
  if (!face) return;
  byId("act-face").replaceChildren(icon(face.icon));
  byId("act-word").textContent = face.words;
  byId("act-key").textContent = face.key;
  byId("act-key").hidden = !face.key;
  act.dataset.tone = face.tone;
  hold(!face.run);
}

/** The big button waits. It is not disabled, as the focus would fall off it. */
function hold(yes) {
  act.setAttribute("aria-disabled", String(yes));
}

function isHeld() {
  return act.getAttribute("aria-disabled") === "true";
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

// Where the focus goes when what had it is gone; elsewhere to the big button.
const FIRST = { consent: "consent-title", microphone: "open-microphone", check: "check-title", loading: "main", nothing: "nothing-title" };

function enter(next) {
  const before = state;
  state = next;
  show();
  const focused = document.activeElement;
  const isLost = focused === document.body || !isShown(focused) || focused.disabled;
  // A page that was just opened leaves the focus to its reader.
  if (before && isLost) byId(FIRST[state] ?? "act").focus({ preventScroll: true });
}

/** Whether the person is at nothing that must not be interrupted. */
function isAtRest() {
  return ["ready", "sent", "nothing"].includes(state);
}

function signInLink() {
  const link = document.createElement("a");
  link.href = root.dataset.signInUrl;
  link.textContent = words.LINKS.signIn;
  return link;
}

function signUpLink() {
  const link = document.createElement("a");
  link.href = root.dataset.signUpUrl;
  link.textContent = words.LINKS.signUp;
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
    else if (error.signedOut) warn("call", "bad", error.message, signInLink(), linkButton(words.LINKS.asGuest, () => { unwarn("call"); enter("consent"); }));
    else warn("call", "bad", error.message, ...(retry ? [linkButton(words.LINKS.tryAgain, retry)] : []));
    return false;
  }
}

// ---------------------------------------------------------------- consent and microphone

const AGREE = document.querySelectorAll("[data-ai-training]");

/**
 * One press for all: who agrees says by the button whether models may be trained on their hums, is asked for the
 * microphone at once, and is a guest if they are nobody yet.
 */
async function agree(button) {
  AGREE.forEach((either) => { either.disabled = true; });
  const agreed = tried(async () => {
    const { person, guest } = await post("/api/hum/consent", { ai_training: button.dataset.aiTraining === "true" });
    const isNew = root.dataset.user === "";
    root.dataset.user = person;
    if (guest) root.dataset.guest = "";
    if (isNew) becomeSomebody();
  }, () => agree(button));
  const opened = studio ? true : await openStudio();
  AGREE.forEach((either) => { either.disabled = false; });
  if (!(await agreed)) return;
  if (opened) await toPhrase();
  else enter("microphone");
}

/** Who was nobody is signed in as a guest: the navigation gets what guests have, and the forms the new session's token. */
function becomeSomebody() {
  document.querySelectorAll("[data-for-guests]").forEach((link) => { link.hidden = false; });
  document.querySelectorAll('input[name="csrfmiddlewaretoken"]').forEach((input) => { input.value = csrfToken(); });
}

/** Asks for the microphone; says what to do where there is none. Returns whether it is open. */
async function openStudio() {
  unwarn("microphone");
  try {
    studio = await Studio.open();
  } catch (error) {
    if (!(error instanceof NoMicrophone)) throw error;
    warn("microphone", "bad", words.MICROPHONE[error.code]);
    return false;
  }
  renewed(studio.context);
  studio.whenRenewed(renewed);
  studio.hear((block) => meter.hear(block));
  studio.track.addEventListener("ended", microphoneGone);
  if (studio.processing.length) warn("processing", "warning", words.processingStays(studio.processing));
  return true;
}

/** The sound runs on a new clock: at the start, and where the old one stopped for good. */
function renewed(context) {
  duet?.stop();
  duet = new Duet(context, studio.output);
  if (task) duet.load("reference", task.buffer);
  checked = null;
}

/** Does what needs the microphone; where it is gone, says so and goes back to asking for it. */
async function withMicrophone(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof NoMicrophone)) throw error;
    await loseMicrophone(error.code);
    return null;
  }
}

async function openMicrophone() {
  const button = byId("open-microphone");
  button.disabled = true;
  const opened = await openStudio();
  button.disabled = false;
  if (opened) await toPhrase();
}

/** From an open microphone to a phrase: by the sound check, the first time on a device step by step. */
async function toPhrase({ whole = false, fragment = wishedFragment() } = {}) {
  const here = studio;
  await checkSound(whole);
  if (studio === here) await nextTask(fragment);
}

/** The phrase that is under way, or the one that "My takes" leads here with, to be hummed again. */
function wishedFragment() {
  return task?.fragment.id ?? new URLSearchParams(location.search).get("fragment");
}

async function checkSound(whole) {
  const here = studio;
  duet?.stop();
  checked = null;
  enter("check");
  byId("check-title").focus({ preventScroll: true });
  devices = await deviceList();
  const result = await withMicrophone(() => new SoundCheck(here).run(whole));
  if (studio !== here) return;
  checked = result;
  if (result) chooseMode(result.kind === "headphones" ? "along" : "after");
  announce(words.CHECK.done);
}

function chooseMode(mode) {
  document.querySelectorAll('input[name="mode"]').forEach((input) => { input.checked = input.value === mode; });
  remember(MODE_KEY, mode);
}

/** Which devices there are, as one string to compare. */
async function deviceList() {
  const found = await navigator.mediaDevices.enumerateDevices();
  // Headphones in a socket may change no more than a label.
  return found.map(({ kind, deviceId, label }) => `${kind} ${deviceId} ${label}`).sort().join("\n");
}

/** Headphones were plugged in or out: what was measured holds no more. The microphone is opened and checked anew. */
async function devicesChanged() {
  if (!studio || devices === null || (await deviceList()) === devices) return;
  checked = null;
  if (isAtRest()) {
    const checking = checkAnew();
    warn("devices", "info", words.DEVICES_CHANGED);
    await checking;
    unwarn("devices");
  } else if (state !== "check") {
    mustCheck = true;
    warn("devices", "warning", words.DEVICES_CHANGED, linkButton(words.LINKS.check, () => checkAnew()));
  }
}

/** A take that was not sent yet is offered again after it. */
async function checkAnew(asked = {}) {
  if (!isAtRest() && state !== "taken") return;
  unwarn("devices");
  mustCheck = false;
  await take?.kept;
  take = null;
  const before = studio;
  studio = null;
  await before.close();
  enter("loading");
  if (await openStudio()) await toPhrase(asked);
  else enter("microphone");
  await offerDrafts(root.dataset.user);
}

/**
 * A take under way ends by itself with what was heard, and one on the stage stays there; whatever comes next asks for the
 * microphone anew.
 */
function microphoneGone(event) {
  if (event.target !== studio?.track) return;
  if (under || ["taken", "sending", "sent"].includes(state)) warn("microphone", "bad", words.MICROPHONE.gone);
  else loseMicrophone("gone");
}

async function loseMicrophone(why) {
  under?.cancel();
  const before = studio;
  studio = null;
  await before?.close();
  endTask();
  warn("microphone", "bad", words.MICROPHONE[why]);
  enter("microphone");
  await offerDrafts(root.dataset.user);
}

// ---------------------------------------------------------------- the task

function endTask() {
  duet?.stop();
  lease?.close();
  lease = null;
  task = null;
  take = null;
  ["lease", "guest"].forEach(unwarn);
}

/** The next phrase, or the named one once more. */
async function nextTask(fragment = null) {
  if (mustCheck && state === "sent") {
    await checkAnew({ fragment });
    return;
  }
  hold(true);
  if (!task) enter("loading");
  const went = await tried(async () => {
    const waiting = await delivery.waitingFragments();
    const answer = await post("/api/hum/task", { waiting, ...(fragment && { fragment }), ...(song && { song }) });
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

async function openTask({ id, ticket, expires_at, fragment }) {
  const [bytes, curve] = await Promise.all([getBytes(fragment.audio_url), get(fragment.curve_url)]);
  // The microphone may have gone while the phrase came.
  const here = studio;
  const buffer = await here?.context.decodeAudioData(bytes);
  if (!here || studio !== here) return;
  endTask();
  task = { id, ticket, fragment, buffer, curve, heard: false };
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
  if (event === "ending") warn("lease", "warning", words.leaseEnding(seconds), linkButton(words.LINKS.keepPhrase, keepPhrase));
  if (event === "over") warn("lease", "warning", words.LEASE_OVER);
}

function keepPhrase() {
  lease?.extend();
}

async function skip(why) {
  if (byId("skip-menu").inert) return;
  byId("skip-menu").open = false;
  const { id, fragment } = task;
  if (!(await tried(() => post(`/api/hum/task/${id}/skip`, { why })))) return;
  await dropTake();
  await nextTask();
  // Naming the phrase takes the skip back.
  warn("skipped", "info", words.skipped(fragment.song), linkButton(words.LINKS.takeBack, () => { unwarn("skipped"); nextTask(fragment.id); }));
}

// ---------------------------------------------------------------- listening

function play(which) {
  if (PLAYS[which].disabled) return;
  if (duet.playing?.which === which) {
    duet.stop();
    return;
  }
  duet.play(which, { ended: () => { view.set({ now_s: null }); showRow(); } }).then(() => { showRow(); follow(); });
  if (which === "voice") return;
  task.heard = true;
  showMain();
}

/** The now-line runs along with what is heard. */
function follow() {
  if (!duet?.playing) return;
  view.set({ now_s: duet.now_s });
  requestAnimationFrame(follow);
}

// ---------------------------------------------------------------- recording

/** Begins a take; a second press before it has begun is none. */
async function record() {
  if (isHeld() || !studio) return;
  hold(true);
  duet.stop();
  ["earlier", "waited", "skipped"].forEach(unwarn);
  duet.load("voice", null);
  byId("outcome").replaceChildren();
  under = await withMicrophone(() => studio.record({ reference: task.buffer, mode: chosenMode(), heard: task.heard }));
  if (!under) {
    showMain();
    return;
  }
  const dropped = dropTake();
  const voice = new LiveVoice(under, latency_s());
  const unhear = studio.hear((block) => voice.push(block));
  view.set({ voice: null, now_s: 0 });
  enter("busy");
  watch({ phase: "", warned: false }, voice);
  const recorded = await under.done;
  unhear();
  await dropped;
  under = null;
  byId("count").textContent = "";
  if (recorded) taken(recorded, voice);
  else if (studio.track?.readyState === "ended") await loseMicrophone("gone");
  else stopped();
}

/** From a sound that is due to the frame that hears it: as measured, else as the browser says, which is too little. */
function latency_s() {
  const { outputLatency, baseLatency } = studio.context;
  return checked?.latency_s ?? (outputLatency || 0) + (baseLatency || 0);
}

function stopped() {
  view.set({ now_s: null, voice: null });
  enter("ready");
  announce(words.STOPPED);
}

const PHASE_WORDS = { listen: words.LISTENING, count: words.READY, hum: words.RECORDING };

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
  return agreement >= TRUSTED_AGREEMENT ? delay_s : recorded.zero_s + (recorded.mode === "along" ? latency_s() : 0);
}

function taken(recorded, voice) {
  const curve = voice.inTake;
  const offset_s = guessOffset(recorded, curve);
  const bandwidth_hz = checked?.bandwidth_hz ?? null;
  const findings = checkTake({ ...recorded, curve, bandwidth_hz, settings: studio.settings }, task.fragment.duration_s);
  take = { ...recorded, title: task.fragment.song, offset_s, findings, item: null, outcome: null };
  take.kept = keepDraft(take);
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
  if (!stops) boxes.at(-1).lastElementChild.append(" ", linkButton(words.LINKS.sendAnyway, sendTake));
  return say(...boxes);
}

async function again() {
  if (byId("again").disabled) return;
  if (state === "taken") await record();
  else await nextTask(task.fragment.id);
}

// ---------------------------------------------------------------- sending

function captureFacts(of) {
  return {
    sample_rate: of.sampleRate,
    frames: of.samples.length,
    mode: of.mode,
    reference_start_frame: of.referenceStartFrame,
    gaps: of.gaps,
    interrupted: of.interrupted ?? null,
    track_settings: studio.settings,
    context: studio.facts(),
    sound_check: checked,
    device_class: deviceClass(),
  };
}

async function packed(of) {
  const capture = captureFacts(of);
  const { ticket, fragment } = task;
  const wav = encodeWav(of.samples, of.sampleRate);
  return { id: crypto.randomUUID(), user: root.dataset.user, guest: isGuest(), title: of.title, wav, sha256: await sha256(wav), ticket, fragment: fragment.id, capture };
}

async function keepSafe(item) {
  try {
    await outbox.keep(item);
    return true;
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    warn("outbox", "warning", words.NO_OUTBOX);
    return false;
  }
}

/** A take survives a closed tab before it is sent, too: the next visit offers it. One that is worth nothing does not. */
async function keepDraft(mine) {
  const item = await packed(mine);
  mine.id = item.id;
  mine.item = { ...item, draft: !mine.findings.some((finding) => finding.stop) };
  if (mine.item.draft) await keepSafe(mine.item);
}

/** The take on the stage makes room: what was not sent is forgotten. */
async function dropTake() {
  const mine = take;
  take = null;
  await mine?.kept;
  if (mine?.item.draft) await delivery.discard(mine.item.id);
}

async function sendTake() {
  if (state !== "taken" || take.findings.some((finding) => finding.stop)) return;
  const mine = take;
  duet.stop();
  enter("sending");
  say(notice("info", words.SENDING));
  lease?.close();
  await mine.kept;
  mine.item = { ...mine.item, draft: false };
  if (await keepSafe(mine.item)) {
    delivery.askBackground();
    await delivery.sendAll();
  } else {
    await delivery.deliverNow(mine.item);
  }
  // What became of it was told on the way: savedHere and unsentHere.
  if (take === mine && state === "sending") enter("sent");
}

// How many takes of the past were saved since the page was opened, for one sentence about all of them.
let savedEarlier = 0;

function savedHere({ detail: { item, status } }) {
  const own = item.user === root.dataset.user;
  if (own && progress && (status === 201 || item.id === take?.id)) progress = words.oneMore(progress);
  unwarn(item.id);
  if (item.id !== take?.id) {
    savedEarlier += 1;
    warn("waited", "good", words.waitedSaved(savedEarlier));
    return;
  }
  const mine = take;
  enter("sent");
  say(notice("info", words.CHECKING));
  if (isGuest()) warn("guest", "info", words.GUEST, signUpLink());
  followCheck(mine);
}

/** Throws away what could not be sent; the phrase of the one on the stage comes again. */
async function discardUnsent({ id }) {
  await discard(id);
  if (id === take?.id && state === "sent") await nextTask(task.fragment.id);
}

function unsentHere({ detail: { item, error } }) {
  const isThere = item.id === take?.id && ["sending", "sent"].includes(state);
  // The one on the stage waits behind an older one.
  const onStage = isThere || (error.passing && state === "sending");
  if (onStage) enter("sent");
  const place = onStage ? (box) => say(box) : (box) => { unwarn(item.id); box.dataset.name = item.id; byId("notices").append(box); };
  if (error.status === 0) place(notice("warning", words.KEPT_OFFLINE));
  else if (error.passing) place(notice("warning", words.KEPT_BUSY));
  else place(notice("bad", words.couldNotSend(item.title, error.message), linkButton(words.LINKS.tryAgain, () => delivery.sendAll()), linkButton(words.LINKS.discard, () => discardUnsent(item))));
}

function showProgress() {
  if (progress) byId("progress").textContent = words.progress(progress);
}

// ---------------------------------------------------------------- the outcome

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function askCheck(id) {
  for (const ms of POLL_MS) {
    await pause(ms);
    try {
      const outcome = await get(`/api/hums/${id}`);
      // A server that restarts may answer with a page of its own.
      if (outcome && outcome.state !== "waiting") return outcome;
    } catch (error) {
      if (!(error instanceof ApiError && error.passing)) throw error;
    }
  }
  return null;
}

/** Waits for the automatic check of a take; shows it on the stage, or above it when the singer has gone on. */
async function followCheck(mine) {
  let outcome = null;
  // Whose session is over learns it here; the take is saved all the same.
  if (!(await tried(async () => { outcome = await askCheck(mine.id); }))) return;
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
  const found = outcome.sentences.map((sentence) => notice(accepted ? "info" : "warning", sentence));
  if (accepted && outcome.surplus) found.unshift(notice("info", words.SURPLUS));
  if (accepted) found.unshift(notice("good", words.ACCEPTED));
  if (outcome.state === "withdrawn") found.unshift(notice("warning", words.WITHDRAWN));
  show();
  say(...found);
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
  AGREE.forEach((button) => button.addEventListener("click", () => agree(button)));
  byId("check-again").addEventListener("click", checkWhole);
  byId("open-microphone").addEventListener("click", openMicrophone);
  byId("look-again").addEventListener("click", () => nextTask());
  act.addEventListener("click", () => { if (!isHeld()) MAIN[state]?.().run?.(); });
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

function checkWhole() {
  if (isAtRest()) checkAnew({ whole: true });
}

function toggleMode() {
  chooseMode(chosenMode() === "along" ? "after" : "along");
  showMain();
  announce(chosenMode() === "along" ? words.ACTS.along : words.ACTS.listen);
}

function onlyIn(states, run) {
  return () => { if (states.includes(state)) run(); };
}

function bindCommands() {
  bindKeys([
    { key: " ", name: words.SPACE, words: gettext("start or stop"), run: onlyIn(["ready", "busy"], () => MAIN[state]().run()) },
    { key: "l", name: "L", words: gettext("listen to the melody"), run: () => play("reference") },
    { key: "m", name: "M", words: gettext("hear yourself"), run: () => play("voice") },
    { key: "b", name: "B", words: gettext("hear both"), run: () => play("both") },
    { key: "a", name: "A", words: gettext("hum it again"), run: again },
    { key: "Enter", name: "Enter", words: gettext("send"), run: onlyIn(["taken"], sendTake) },
    { key: "n", name: "N", words: gettext("next phrase, when sent"), run: onlyIn(["sent"], () => nextTask()) },
    { key: "u", name: "U", words: gettext("I don’t know this one"), run: onlyIn(["ready", "taken", "sent"], () => skip("unknown")) },
    { key: "h", name: "H", words: gettext("headphones on or off"), run: onlyIn(["ready", "taken", "sent"], toggleMode) },
    { key: "k", name: "K", words: gettext("keep the phrase longer"), run: keepPhrase },
    { key: "c", name: "C", words: gettext("check the sound again"), run: onlyIn(["ready", "sent"], checkWhole) },
    { key: "Escape", name: "Esc", words: gettext("stop"), run: () => { under?.cancel(); duet?.stop(); } },
  ]);
}

function bindWorld() {
  document.addEventListener("chad:saved", savedHere);
  document.addEventListener("chad:unsent", unsentHere);
  document.addEventListener("chad:saved", showProgress);
  navigator.mediaDevices?.addEventListener?.("devicechange", devicesChanged);
  ["pointerdown", "keydown"].forEach((event) => document.addEventListener(event, () => lease?.touch()));
  window.addEventListener("unhandledrejection", () => warn("broken", "bad", words.PAGE_BROKE));
  window.addEventListener("error", () => warn("broken", "bad", words.PAGE_BROKE));
}

bindButtons();
bindModes();
bindCommands();
bindWorld();
enter(dataOf("consent-needed") ? "consent" : "microphone");
offerDrafts(root.dataset.user);
