// A hum's searches: some while it lasts, and the last one when it is whole. Only the server knows the songs.

import { ApiError, call } from "./api.js";
import { gettext } from "./words.js";

const SEARCHES = "/api/v1/searches";

// The server holds a question open for so long, seconds, and answers as soon as it knows.
const WAIT_S = 5;

// Where it holds none open, it is asked again after so many ms.
const PAUSE_MS = 300;

// Nobody waits longer than this, ms. The server itself refuses searches that are older than a minute.
const PATIENCE_MS = 75_000;

// A question that failed for a passing reason is asked again, so many times in a row.
const TRIES = 4;

const OVER = ["done", "refused"];
const TOO_SLOW = gettext("The search takes too long just now. Try again in a minute.");

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** The search, asked for until it is over; told(sentence): what it waits for meanwhile, where that is known. Throws ApiError. */
async function whenOver(search, signal, told) {
  const start = performance.now();
  let failures = 0;
  while (!OVER.includes(search.state)) {
    if (performance.now() - start > PATIENCE_MS) throw new ApiError(TOO_SLOW, { status: 503, code: "too_slow" });
    const asked = performance.now();
    try {
      search = (await call("GET", `${SEARCHES}/${search.id}?wait=${WAIT_S}`, undefined, { signal })).body;
      failures = 0;
    } catch (error) {
      failures += 1;
      if (!(error instanceof ApiError && error.passing) || failures >= TRIES) throw error;
      await pause(1000 * Math.max(error.retry_s, failures));
    }
    if (OVER.includes(search.state)) break;
    if (search.sentence) told(search.sentence);
    if (performance.now() - asked < PAUSE_MS) await pause(PAUSE_MS);
  }
  return search;
}

export class HumSearch {
  constructor() {
    this.hum = crypto.randomUUID?.() ?? null; // groups the searches of one hum; absent where the address is not secure
    this.ending = new AbortController();
    this.partial = null; // the AbortController of the one so far that is under way
    this.silent = false; // whether the server wants no more of them
  }

  /** Sends audio (a Blob) and waits for the answer. Throws ApiError; AbortError once it is cancelled. */
  async send(audio, partial, signal, told = () => {}) {
    const form = new FormData();
    if (this.hum) form.append("hum", this.hum);
    form.append("partial", String(partial));
    form.append("audio", audio, audio.name ?? "hum.wav");
    return whenOver((await call("POST", SEARCHES, form, { signal })).body, signal, told);
  }

  /** What was found with the hum so far, or null: a search that fails, or comes too late, is no loss. */
  async soFar(audio) {
    if (this.partial || this.silent || this.ending.signal.aborted) return null;
    this.partial = new AbortController();
    const { signal } = this.partial;
    try {
      const answer = await this.send(await audio(), true, signal);
      return signal.aborted ? null : answer;
    } catch (error) {
      if (error instanceof ApiError) this.silent = true;
      else if (error.name !== "AbortError") throw error;
      return null;
    } finally {
      this.partial = null;
    }
  }

  /** What was found with the whole. told(sentence): what it waits for. Throws ApiError; gives null once it is cancelled. */
  async whole(audio, told) {
    this.partial?.abort();
    this.silent = true;
    try {
      return await this.send(audio, false, this.ending.signal, told);
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    }
  }

  /** The answer of an earlier search. Throws ApiError; gives null once it is cancelled. */
  async again(id, told) {
    try {
      const search = (await call("GET", `${SEARCHES}/${encodeURIComponent(id)}`, undefined, { signal: this.ending.signal })).body;
      return await whenOver(search, this.ending.signal, told);
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    }
  }

  cancel() {
    this.partial?.abort();
    this.ending.abort();
  }
}

/** {hum, song}: the two curves of a result, on the song's clock. */
export async function curvesOf(result) {
  return (await call("GET", result.curves)).body;
}

/** Tells whether a song is the one that was hummed; right null takes it back. keep: the hum goes to the collection. */
export async function mark(search, song, right, keep = false) {
  return (await call("POST", `${SEARCHES}/${search}/mark`, { song, right, keep })).body;
}
