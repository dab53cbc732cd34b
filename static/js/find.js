// The finding page: a hum, what is found while it lasts, the answer. Parts: studio.js (the microphone), find-take.js (the
// hum), find-search.js (the server), find-answer.js (the songs), find-marks.js (the person's word), find-words.js.

import { ApiError } from "./api.js";
import { CurveView } from "./curve.js";
import { AnswerView, showSoFar } from "./find-answer.js";
import { Marks } from "./find-marks.js";
import { HumSearch } from "./find-search.js";
import { FreeTake, wavToSend } from "./find-take.js";
import * as words from "./find-words.js";
import { MICROPHONE, SPACE } from "./hum-words.js";
import { bindKeys } from "./keys.js";
import { LevelMeter } from "./level-meter.js";
import { LiveVoice } from "./live-voice.js";
import { say, unwarn, warn } from "./notices.js";
import { announce, byId, dataOf, icon, isShown, linkButton, notice } from "./page.js";
import { NoMicrophone, Studio } from "./studio.js";
import { SLIP_S } from "./take-limits.js";
import { gettext } from "./words.js";

// As much as a search takes, seconds.
const MOST_S = 15;

// The first search goes out when so much was heard, and another one after so much more, seconds.
const FIRST_S = 3;
const EVERY_S = 2.5;

const SMOOTH_S = 0.18;

// Under this name the page's address holds the id of the answer that it shows.
const SEARCH = "search";

const root = byId("find");
const act = byId("act");
const live = new CurveView(byId("live"), { smooth_s: SMOOTH_S, voice: words.YOUR_HUM });
const meter = new LevelMeter({ box: byId("level"), canvas: byId("level-bars"), word: byId("level-word") });
const marks = new Marks(root, dataOf("consent-needed"), (result, word) => view.sign(result, word));
const view = new AnswerView({ opened: (result) => marks.show(result) });

let state = "ready";
let under = null; // the FreeTake under way
let search = null; // the HumSearch under way

// ---------------------------------------------------------------- states

/** The big button in each state: icon, words, key, tone and what it does. */
const MAIN = {
  ready: { icon: "mic", words: words.ACTS.hum, key: SPACE, tone: "voice", run: hum },
  opening: { icon: "mic", words: words.ACTS.opening, key: "", tone: "voice", run: null },
  humming: { icon: "square", words: words.ACTS.stop, key: SPACE, tone: "stop", run: () => under.stop() },
  searching: { icon: "search", words: words.ACTS.searching, key: "", tone: "ink", run: null },
  answered: { icon: "mic", words: words.ACTS.again, key: "A", tone: "voice", run: hum },
};

function enter(next) {
  state = next;
  root.dataset.state = state;
  const focused = document.activeElement;
  root.querySelectorAll("[data-in]").forEach((part) => { part.hidden = !part.dataset.in.split(" ").includes(state); });
  const face = MAIN[state];
  byId("act-face").replaceChildren(icon(face.icon));
  byId("act-word").textContent = face.words;
  byId("act-key").textContent = face.key;
  byId("act-key").hidden = !face.key;
  act.dataset.tone = face.tone;
  // The button is not disabled while it waits, as the focus would fall off it.
  act.setAttribute("aria-disabled", String(!face.run));
  if (focused !== document.body && !isShown(focused)) act.focus({ preventScroll: true });
}

/** The answer's address: whoever comes back to it, or loads the page again, has the answer again. */
function address(id) {
  const here = new URL(location.href);
  if (id) here.searchParams.set(SEARCH, id);
  else here.searchParams.delete(SEARCH);
  history.replaceState(null, "", here);
  // Whoever signs in to hear a song comes back to it.
  const signIn = byId("silent").querySelector("a");
  if (!signIn) return;
  const way = new URL(signIn.href);
  way.searchParams.set("next", here.pathname + here.search);
  signIn.href = way.href;
}

/** Everything of the hum before is forgotten. */
function clear() {
  address(null);
  search?.cancel();
  search = null;
  view.quiet();
  view.clear();
  byId("outcome").replaceChildren();
  byId("count").textContent = "";
  ["microphone", "call", "interrupted"].forEach(unwarn);
}

function cancel() {
  if (!["humming", "searching"].includes(state)) return;
  under?.cancel();
  clear();
  enter("ready");
  announce(words.CANCELLED);
}

// ---------------------------------------------------------------- the hum

/** Asks for the microphone; says what to do where there is none. */
async function openStudio() {
  try {
    return await Studio.open();
  } catch (error) {
    if (!(error instanceof NoMicrophone)) throw error;
    warn("microphone", "bad", MICROPHONE[error.code]);
    return null;
  }
}

async function hum() {
  clear();
  enter("opening");
  const studio = await openStudio();
  if (!studio) {
    enter("ready");
    return;
  }
  const mine = new HumSearch();
  search = mine;
  root.dataset.by = "hum";
  under = new FreeTake(studio, MOST_S);
  const voice = new LiveVoice(under);
  studio.hear((block) => { voice.push(block); meter.hear(block); });
  byId("answer-title").textContent = words.SO_FAR;
  byId("outcome").replaceChildren(soft(words.NOT_YET));
  live.set({ voice: null, now_s: 0, from_s: 0, to_s: MOST_S });
  enter("humming");
  announce(words.LISTENING, { urgent: true });
  watch(mine, voice, FIRST_S);
  const heard = await under.done;
  under = null;
  live.set({ now_s: null });
  const closed = close(studio);
  if (heard && search === mine) await findHeard(mine, heard);
  await closed;
}

async function findHeard(mine, { samples, sampleRate, interrupted }) {
  if (samples.length < SLIP_S * sampleRate) {
    clear();
    enter("ready");
    warn("call", "warning", words.TOO_SHORT);
    return;
  }
  if (interrupted) warn("interrupted", "warning", words.INTERRUPTED);
  await find(mine, () => wavToSend(samples, sampleRate));
}

/** The microphone is on only while somebody hums. */
async function close(studio) {
  await studio.close();
  // Else Safari plays the songs as softly as during a call.
  if (navigator.audioSession) navigator.audioSession.type = "playback";
}

function soft(sentence) {
  const line = document.createElement("p");
  line.className = "soft small";
  line.textContent = sentence;
  return line;
}

/** Once a frame while the person hums: the voice, the count, and a search when its time has come. */
function watch(mine, voice, due_s) {
  if (!under || search !== mine) return;
  const { heard_s } = under;
  live.set({ voice: voice.curve, now_s: heard_s });
  const count = words.heard(heard_s, MOST_S);
  if (byId("count").textContent !== count) byId("count").textContent = count;
  const isDue = heard_s >= due_s;
  if (isDue) searchSoFar(mine);
  requestAnimationFrame(() => watch(mine, voice, isDue ? heard_s + EVERY_S : due_s));
}

async function searchSoFar(mine) {
  const { samples, rate } = under;
  const answer = await mine.soFar(() => wavToSend(samples, rate));
  if (!answer || search !== mine || state !== "humming") return;
  // Not said aloud: a loudspeaker would speak into the hum.
  byId("outcome").replaceChildren(...(answer.sentence ? [soft(answer.sentence)] : []));
  showSoFar({ found: answer.found ?? [] });
}

// ---------------------------------------------------------------- the search

const tells = (mine) => (sentence) => { if (search === mine) say(soft(sentence)); };

/** Searches with the whole hum, or with a file; audio() gives it as a Blob. */
async function find(mine, audio) {
  const start = performance.now();
  unwarn("call");
  enter("searching");
  announce(words.SEARCHING);
  try {
    const answer = await mine.whole(await audio(), tells(mine));
    if (answer && search === mine) showAnswer(answer, (performance.now() - start) / 1000);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (search !== mine) return;
    enter("ready");
    // What was refused for good is refused again.
    const again = error.passing ? [linkButton(words.LINKS.searchAgain, () => find(mine, audio))] : [];
    warn("call", "bad", error.message, ...again);
  }
}

/** Shows an earlier answer anew. */
async function findAgain(id) {
  const mine = new HumSearch();
  search = mine;
  root.dataset.by = "link";
  unwarn("call");
  byId("answer-title").textContent = words.YOUR_LAST;
  enter("searching");
  try {
    const answer = await mine.again(id, tells(mine));
    if (answer && search === mine) showAnswer(answer, null);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (search !== mine) return;
    enter("ready");
    if (error.passing) {
      warn("call", "bad", error.message, linkButton(words.LINKS.showAgain, () => findAgain(id)));
      return;
    }
    address(null);
    warn("call", "warning", error.status === 404 ? words.NOT_YOURS : error.message);
  }
}

/** seconds: from the end of the hum on; null where it was found earlier. */
function showAnswer(answer, seconds) {
  if (answer.state === "refused") {
    clear();
    enter("ready");
    warn("call", "warning", answer.sentence);
    return;
  }
  const songs = answer.index?.songs ?? 0;
  marks.begin(answer.id, answer.marked);
  address(answer.id);
  enter("answered");
  byId("answer-title").textContent = words.verdict(answer);
  const said = (answer.warnings ?? []).map((warning) => notice("warning", warning));
  if (words.isUnsure(answer)) said.unshift(soft(words.LOOK_AGAIN));
  else if (answer.is_here === false && songs) said.unshift(soft(words.whatNow(songs)));
  byId("outcome").replaceChildren(...said);
  view.show(answer);
  answer.found.forEach((result) => view.sign(result, marks.of(result)));
  byId("searched").textContent = words.searched(songs, seconds);
  byId("answer-title").focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}

async function findFile(file) {
  if (!file.size) {
    warn("call", "bad", words.NO_FILE_SOUND);
    return;
  }
  clear();
  const mine = new HumSearch();
  search = mine;
  root.dataset.by = "file";
  byId("answer-title").textContent = file.name;
  await find(mine, async () => file);
}

// ---------------------------------------------------------------- wiring

function inState(states, run) {
  return () => { if (states.includes(state)) run(); };
}

function bind() {
  const file = byId("file");
  act.addEventListener("click", () => MAIN[state].run?.());
  byId("cancel").addEventListener("click", cancel);
  byId("choose").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    const [chosen] = file.files;
    file.value = ""; // the same file may be chosen again
    if (chosen) findFile(chosen);
  });
  bindKeys([
    { key: " ", name: SPACE, words: gettext("hum, or stop and search"), run: inState(["ready", "humming"], () => MAIN[state].run()) },
    { key: "a", name: "A", words: gettext("hum again"), run: inState(["answered"], hum) },
    { key: "ArrowDown", name: "↓", words: gettext("next song"), run: inState(["answered"], () => view.step(1)) },
    { key: "ArrowUp", name: "↑", words: gettext("song before"), run: inState(["answered"], () => view.step(-1)) },
    { key: "l", name: "L", words: gettext("play the song from there"), run: inState(["answered"], () => view.play()) },
    { key: "w", name: "W", words: gettext("watch the song from there"), run: inState(["answered"], () => view.watch()) },
    { key: "y", name: "Y", words: gettext("that’s it"), run: inState(["answered"], () => marks.say(true)) },
    { key: "n", name: "N", words: gettext("not this"), run: inState(["answered"], () => marks.say(false)) },
    { key: "f", name: "F", words: gettext("use a sound file"), run: inState(["ready", "answered"], () => file.click()) },
    { key: "Escape", name: "Esc", words: gettext("stop"), run: () => (state === "answered" ? view.quiet() : cancel()) },
  ]);
  const broke = () => warn("broken", "bad", words.PAGE_BROKE);
  ["unhandledrejection", "error"].forEach((event) => window.addEventListener(event, broke));
}

bind();
enter("ready");
const shown = new URL(location.href).searchParams.get(SEARCH);
if (shown) findAgain(shown);
