// The reviewer's desk and its way to the server: the next item is claimed and loaded while the present one is judged,
// verdicts go out in the background and wait where the network fails, and what is not judged is given back.

import { ApiError, call, csrfToken, get } from "./api.js";
import { Piece } from "./desk-item.js";

// The server takes so many ids of what is on the desk.
const MOST_HELD = 2;

// No answer within this is none.
const PATIENCE_MS = 20_000;

// What did not go out is tried again after so long, ms; the last over and over.
const AGAIN_MS = [3000, 6000, 12_000, 30_000];

async function post(path, data = {}) {
  return (await call("POST", path, data, { signal: AbortSignal.timeout(PATIENCE_MS) })).body;
}

function mayPass(error) {
  return error.passing || error.signedOut;
}

export class Desk {
  /**
   * told: {queue({left, left_is_more, standing}), saved(record, answer), unsent(record, error), refused(record, error)}.
   * A record is a verdict or a pass on its way: {piece, path, body, decision, why}; `sent` is when its last try is over.
   */
  constructor(context, told) {
    Object.assign(this, { context, told });
    this.present = null;
    this.next = null; // {item, loading, piece, error}
    this.unsent = new Set();
    this.tries = 0;
    this.turn = Promise.resolve();
    addEventListener("online", () => this.sendAgain());
  }

  /** One call after another: a claim that overtakes a verdict would bring the judged item again. */
  inTurn(work) {
    const done = this.turn.then(work);
    this.turn = done.catch(() => {});
    return done;
  }

  // --- the next one

  /** Claims and begins to load the next item where there is none. Throws ApiError. */
  fill() {
    return this.inTurn(async () => {
      if (this.next) return;
      const answer = await post("/api/review/next", { holding: this.holding() });
      this.told.queue(answer);
      if (answer.item) this.next = this.loaded(answer.item);
    });
  }

  holding() {
    const waiting = [...this.unsent].map(({ piece }) => piece.id);
    return [...new Set([this.present?.id, ...waiting].filter(Boolean))].slice(0, MOST_HELD);
  }

  loaded(item) {
    const next = { item, piece: null, error: null };
    next.loading = Piece.load(this.context, item).then(
      (piece) => { next.piece = piece; },
      (error) => { next.error = error; },
    );
    return next;
  }

  /** Waits until the next item can be taken. False: there is none. Throws where it cannot be had. */
  async ready() {
    if (this.next?.error) this.next = this.loaded(this.next.item);
    await this.fill();
    if (!this.next) return false;
    const { next } = this;
    await next.loading;
    if (next.error) throw next.error;
    return true;
  }

  /** Takes the next item onto the desk if it is loaded, else null. */
  take() {
    const piece = this.next?.piece ?? null;
    if (piece) this.next = null;
    this.present = piece;
    return piece;
  }

  /** Another piece comes on the desk; what lies there is the next one then, and what was next goes back. */
  insert(piece) {
    const { present } = this;
    if (present && present !== piece && !present.isJudged) {
      if (this.next) this.release(this.next.item);
      this.next = { item: present.item, piece: present, loading: Promise.resolve(), error: null };
    }
    this.present = piece;
  }

  /** The leases are over: what is next has to be claimed anew. */
  forget() {
    this.next = null;
  }

  /** What cannot be loaded is left to others. */
  passNext() {
    const { item } = this.next;
    this.next = null;
    return this.inTurn(() => post(`/api/review/${item.id}/pass`));
  }

  /** With the end of the lease as it is known here: what was claimed anew since is somebody's, or a new page's. */
  release({ id, expires_at }) {
    return this.inTurn(() => post(`/api/review/${id}/release`, { expires_at })).catch((error) => {
      // Its lease ends by itself.
      if (!(error instanceof ApiError)) throw error;
    });
  }

  // --- verdicts

  /** Sends a record, now or as soon as it goes. Resolves when it was tried once. */
  send(record) {
    record.piece.isJudged = true;
    this.unsent.add(record);
    record.sent = this.inTurn(() => this.trySend(record));
    return record.sent;
  }

  async trySend(record) {
    if (!this.unsent.has(record)) return;
    record.isOut = true;
    try {
      const answer = await post(record.path, record.body);
      this.done(record);
      this.told.saved(record, answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await this.failed(record, error);
    } finally {
      record.isOut = false;
    }
  }

  async failed(record, error) {
    if (mayPass(error)) {
      record.failed = true;
      this.told.unsent(record, error);
      this.tryLater();
      return;
    }
    const saved = record.failed ? await this.savedBefore(record) : null;
    this.done(record);
    // Nothing is lost with a pass that comes too late.
    if (record.decision === "pass") return;
    if (saved) this.told.saved(record, saved);
    else this.told.refused(record, error);
  }

  /** An earlier try may have arrived although its answer was lost; then the next one is refused. */
  async savedBefore({ piece, decision }) {
    try {
      const { verdicts } = await get("/api/review/verdicts");
      const found = verdicts.find(({ item, undone, ...one }) => item === piece.id && !undone && one.decision === decision);
      return found ? { verdict: found.id, undo_s: 0, practice: null, goes_on: true } : null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return null;
    }
  }

  done(record) {
    this.unsent.delete(record);
    if (!this.unsent.size) this.tries = 0;
  }

  tryLater() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sendAgain(), AGAIN_MS[Math.min(this.tries, AGAIN_MS.length - 1)]);
    this.tries += 1;
  }

  /** Everything that did not go out, once more. */
  async sendAgain() {
    clearTimeout(this.timer);
    for (const record of [...this.unsent].filter(({ failed }) => failed)) {
      record.sent = this.inTurn(() => this.trySend(record));
    }
    await this.turn;
  }

  /** Takes back a record that did not go out. False: it is on its way or there. */
  recall(record) {
    if (!record.failed || record.isOut || !this.unsent.has(record)) return false;
    this.done(record);
    return true;
  }

  /** Takes a verdict back: the item, or null where somebody else has it. Throws ApiError. */
  undo(verdict) {
    return this.inTurn(async () => {
      const answer = await post(`/api/review/verdicts/${verdict}/undo`);
      this.told.queue(answer);
      return answer.item;
    });
  }

  // --- leaving

  /** What is held and not judged: the server has it back when the page goes. */
  held() {
    const present = this.present?.isJudged ? null : this.present;
    return [present?.item, this.next?.item].filter(Boolean);
  }

  letGo() {
    for (const { id, expires_at } of this.held()) {
      const headers = { "Content-Type": "application/json", "X-CSRFToken": csrfToken() };
      const body = JSON.stringify({ expires_at });
      fetch(`/api/review/${id}/release`, { method: "POST", body, headers, keepalive: true }).catch((error) => {
        // Without a network nothing is given back: the lease ends by itself.
        if (!(error instanceof TypeError)) throw error;
      });
    }
    this.present = null;
    this.next = null;
  }
}
