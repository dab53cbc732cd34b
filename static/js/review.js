// The double-check: hear and see both sides, judge, go on. The next item lies ready, verdicts go out in the background,
// and hands stay on the keyboard.

import { ApiError } from "./api.js";
import { playsAtOnce, showAtOnce, toggleAtOnce } from "./at-once.js";
import { LastLine } from "./last-line.js";
import { LastVerdicts } from "./last-verdicts.js";
import { announce, byId, dataOf } from "./page.js";
import { Desk } from "./review-desk.js";
import { Piece } from "./desk-item.js";
import { bindReviewKeys } from "./review-keys.js";
import { DeskLease } from "./review-lease.js";
import { tell, tellRefused, tellUnsent, untell, untellAll } from "./review-notices.js";
import { bindReasons } from "./review-reasons.js";
import { act, allow, itemInWords, show, showClock, showCorrections, showEar, showItem, showPractice, showStuck } from "./review-show.js";
import { Ear } from "./review-sound.js";
import { Pictures } from "./review-view.js";
import * as words from "./review-words.js";

const page = byId("review");
const context = new AudioContext();

let here = null; // the piece that lies open
let practising = null; // what practice told of it, until it is read
let standing = { state: "", words: "" };
let said = ""; // what the next announcement begins with: the last verdict
let turn = 0; // so that a late answer does not cover what was laid meanwhile

const ear = new Ear(context, { changed: showPlaying, moved: showNow });
const pictures = new Pictures({ from: (second) => ear.from(second), nudge, moveEnd });
const desk = new Desk(context, { queue: showQueue, saved, unsent, refused });
const lease = new DeskLease(desk, () => advance());
const last = new LastLine();
const verdicts = new LastVerdicts(undoOld);
const reasons = bindReasons(dataOf("reasons"), reject);

// --- items

/** The next item, at once where it lies ready. since: when it was asked for, for the measure. */
async function advance(since = null) {
  turn += 1;
  const mine = turn;
  practising = null;
  const piece = desk.take();
  if (piece) {
    lay(piece, since);
    topUp();
    return;
  }
  clear("loading");
  try {
    const isThere = await desk.ready();
    if (mine !== turn) return;
    if (!isThere) {
      await nothing();
      return;
    }
    lay(desk.take(), since);
    topUp();
  } catch (error) {
    if (mine === turn) stuck(error);
  }
}

/** Claims the one after. Where that fails it is tried again when it is needed. */
async function topUp() {
  page.dataset.next = "fetching";
  try {
    await desk.fill();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
  }
  lease.watch();
  await desk.next?.loading;
  page.dataset.next = desk.next?.piece ? "ready" : "none";
}

function clear(state) {
  here = null;
  ear.lay(null);
  pictures.now(null);
  lease.close();
  show(state);
  showAllowed();
}

/** Opens a piece on the desk. The sound comes first: it was waited for. */
function lay(piece, since = null) {
  turn += 1;
  here = piece;
  practising = null;
  piece.isJudged = false;
  piece.shownAt = performance.now();
  ear.lay(piece);
  if (since !== null && ear.wasUsed && playsAtOnce()) {
    ear.play(ear.last, null);
    ear.measure(since);
  }
  show("item");
  describe();
  lease.watch();
}

/** Lays a piece that was judged on the desk again; what lies there comes after it. */
function bringBack(piece) {
  desk.insert(piece);
  lay(piece);
  topUp();
}

function describe() {
  showItem(here.item);
  showPiece();
  reasons.offer(here.item.kind);
  showNow(ear.now_s);
  showAllowed();
  // On a phone the hand was on the verdict, below the pictures.
  if (scrollY > 0) scrollTo({ top: 0 });
  if (document.activeElement === document.body) byId("what").focus({ preventScroll: true });
  say(itemInWords());
}

/** After what was just judged. */
function say(sentence, options) {
  announce(`${said}${sentence}`, options);
  said = "";
}

function showQueue(queue) {
  byId("left").textContent = words.leftOf(queue);
  showStanding(queue.standing);
}

/** Told once, and again when it changes. */
function showStanding(now) {
  const isNew = now.words !== standing.words;
  standing = now;
  if (!isNew) return;
  if (now.words) tell("standing", now.state === "set_aside" ? "warning" : "info", now.words);
  else untell("standing");
}

async function nothing() {
  clear("nothing");
  byId("hear-first").hidden = true;
  const waits = await verdicts.someWait();
  byId("waits-for-others").hidden = !waits;
  say(`Nothing is left to double-check. ${waits ? byId("waits-for-others").textContent : ""}`);
}

function stuck(error) {
  clear("stuck");
  say(showStuck(error, desk.unsent.size, desk.next !== null), { urgent: true });
}

async function passNext() {
  try {
    await desk.passNext();
    await advance();
  } catch (error) {
    stuck(error);
  }
}

// --- what is seen and heard

function showPiece() {
  showCorrections(here);
  pictures.show(here);
}

function showNow(second) {
  pictures.now(second);
  showClock(here, second);
}

function showPlaying() {
  showEar(ear);
  if (!ear.which) showNow(ear.place_s);
  showAllowed();
}

function showAllowed() {
  allow(here, practising !== null);
}

function change(how) {
  if (!here || here.isJudged) return;
  how();
  showPiece();
}

function nudge(ms) {
  change(() => here.nudge(ms));
}

function moveEnd(end, by_s) {
  change(() => here.moveEnd(end, by_s));
}

// --- verdicts

function accept(event) {
  if (!here || here.isJudged) return;
  if (here.isHeard) judge({ decision: "accept" }, event);
  else announce(words.HEAR_FIRST, { urgent: true });
}

function reject({ code, label }, said, event) {
  if (!here || here.isJudged) return;
  judge({ decision: "reject", reason: code, words: said, why: said || label }, event);
}

function pass(event) {
  if (here && !here.isJudged) judge({ decision: "pass" }, event);
}

async function judge({ decision, why = "", ...given }, event) {
  const piece = here;
  const isPass = decision === "pass";
  const path = `/api/review/${piece.id}/${isPass ? "pass" : "verdict"}`;
  const record = { piece, path, decision, why, body: isPass ? {} : { decision, ...given, ...piece.values() } };
  ear.stop();
  untell("refused");
  // Read by now: it lay beside a whole item.
  if (standing.state === "new") untell("standing");
  const sent = desk.send(record);
  last.show(record);
  said = `${words.outcome(record)}. `;
  // Who practises may be told what it was, with the item still open; everybody else goes on.
  if (isPass || !standing.words) {
    advance(event.timeStamp);
    return;
  }
  showAllowed();
  await sent;
  if (here === piece && piece.isJudged && !practising) advance(event.timeStamp);
}

function saved(record, answer) {
  record.answer = answer;
  if (!desk.unsent.size) untell("unsent");
  if (answer?.standing) showStanding(answer.standing);
  if (answer?.goes_on === false) {
    // The study is done: the page leads to its completion code.
    location.assign("/review/");
    return;
  }
  if (answer?.practice) practise(record);
  else if (record === last.record && answer) last.countDown(answer.undo_s);
  if (record.failed && here === null) advance();
}

/** What practice says stays until it is read; the item lies open beside it. */
function practise(record) {
  if (here !== record.piece) bringBack(record.piece);
  here.isJudged = true;
  practising = record;
  const sentence = showPractice(record.answer.practice);
  last.hide();
  showAllowed();
  byId("practice").focus();
  said = "";
  announce(sentence, { urgent: true });
}

function goOn(event) {
  if (practising) advance(event.timeStamp);
}

function unsent(record, error) {
  tellUnsent(error, () => desk.sendAgain());
}

function refused(record, error) {
  if (record === last.record) last.hide();
  if (!desk.unsent.size) untell("unsent");
  tellRefused(record.piece.item, error, () => bringBack(record.piece));
}

// --- taking back

/** The last verdict; once its seconds are over, by the list. */
async function undo() {
  const { record } = last;
  if (!record || record.decision === "pass") {
    return verdicts.open();
  }
  last.hide();
  ear.stop();
  try {
    if (!desk.recall(record)) {
      await record.sent;
      if (!record.answer) return undefined; // it was not taken, and that was told
      const item = await desk.undo(record.answer.verdict);
      if (!item) return tell("undo", "info", words.TAKEN_BACK);
      record.piece.item = item;
    }
    if (!desk.unsent.size) untell("unsent");
    said = "Taken back. ";
    bringBack(record.piece);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    tell("undo", "bad", error.message);
  }
  return undefined;
}

/** One of the list. Throws ApiError, which the list tells. */
async function undoOld(verdict) {
  const item = await desk.undo(verdict.id);
  if (last.record?.answer?.verdict === verdict.id) last.hide();
  if (!item) {
    tell("undo", "info", words.TAKEN_BACK);
    return;
  }
  const piece = await Piece.load(context, item);
  said = "Taken back. ";
  bringBack(piece);
}

// --- hands

const ACTS = {
  accept, pass, goOn, undo, passNext,
  again: () => { desk.sendAgain(); advance(); },
  loop: () => announce(ear.toggleLoop() ? "Loop on." : "Loop off."),
  atOnce: toggleAtOnce,
  stop: () => ear.toggle(),
  slower: () => announce(ear.slower().said),
  reset: () => change(() => here.reset()),
  verdicts: () => verdicts.open(),
  noWords: () => reasons.close(),
};

page.addEventListener("click", (event) => {
  const { act: name, play, nudge: ms, end, by } = event.target.closest("button")?.dataset ?? {};
  if (name) ACTS[name](event);
  if (play) ear.press(play);
  if (ms) nudge(Number(ms));
  if (end) moveEnd(end, Number(by) / 1000);
});

bindReviewKeys(ear, reasons, { ...ACTS, nudge, moveEnd, close: untellAll });

addEventListener("beforeunload", (event) => { if (desk.unsent.size) event.preventDefault(); });
addEventListener("pagehide", () => desk.letGo());
// Kept by the browser, but what lay on the desk was given back.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
addEventListener("unhandledrejection", () => tell("broken", "bad", "Something on this page went wrong. Reload it; what you judged is saved."));

showPlaying();
showAtOnce();
advance();
