// Calls to the server. Every failure becomes an ApiError whose message is a sentence for the person.

import { gettext, interpolate } from "./words.js";

const OFFLINE = gettext("We cannot reach the server. Check your connection; nothing you recorded is lost.");
const BROKEN = gettext("The server had a problem. Try again in a minute.");
const SIGNED_OUT = gettext("You are signed out. Sign in again to go on.");
const BUSY = gettext("The server asks for a short pause. Try again in a minute.");
const REFUSED = gettext("The server refused this (%(status)s). Reload the page and try again.");

export class ApiError extends Error {
  /** status: HTTP's, 0 where no answer came; code: the server's word for it; retry_s: how long it asks to wait, 0 for no word. */
  constructor(sentence, { status = 0, code = "offline", retry_s = 0 } = {}) {
    super(sentence);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retry_s = retry_s;
  }

  /** No answer, or one that a later try may turn. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  get signedOut() {
    return this.status === 401 || this.code === "signed_out";
  }
}

/** The CSRF token: the cookie's, fresh even after a sign-in in another tab, else the page's. */
export function csrfToken() {
  const cookie = document.cookie.split("; ").find((part) => part.startsWith("csrftoken="));
  return cookie ? decodeURIComponent(cookie.slice("csrftoken=".length)) : document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

function sentenceFor(status, body) {
  if (typeof body?.error === "string") return body.error;
  if (status === 401) return SIGNED_OUT;
  if (status === 429) return BUSY;
  if (status >= 500) return BROKEN;
  return typeof body?.detail === "string" ? body.detail : interpolate(REFUSED, { status });
}

async function bodyOf(response) {
  const kind = response.headers.get("content-type") ?? "";
  if (response.status === 204 || !kind.includes("json")) return null;
  return response.json();
}

function bodyAndHeaders(method, data, withSession) {
  const headers = { Accept: "application/json" };
  if (method !== "GET" && withSession) headers["X-CSRFToken"] = csrfToken();
  if (data instanceof FormData || data === undefined) return { headers, body: data };
  return { headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(data) };
}

function refusal(response, body) {
  const { status } = response;
  return new ApiError(sentenceFor(status, body), { status, code: body?.code ?? "", retry_s: retryAfter(response) });
}

// The server's clock minus this device's, ms, from the last answer's Date header (whole seconds).
let ahead = 0;

/** The server's time now, ms. */
export function serverNow() {
  return Date.now() + ahead;
}

/** Seconds that the server asks to wait; proxies may write a date, which is no word. */
function retryAfter(response) {
  const seconds = Number(response.headers.get("retry-after") ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0;
}

/** Asks and reads the answer whole, as an answer may also break off: read(response)'s promise. */
async function ask(path, options, read) {
  try {
    const response = await fetch(path, { credentials: "same-origin", ...options });
    const date = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(date)) ahead = date - Date.now();
    return { response, body: await read(response) };
  } catch (error) {
    // fetch, and the reading of a body, say TypeError for every failure of the network.
    if (error instanceof TypeError || error.name === "TimeoutError") throw new ApiError(OFFLINE);
    throw error;
  }
}

/**
 * One call: data is sent as JSON, or as it is when FormData. options.headers: further ones; options.credentials: "omit"
 * for a call that stands on its own, whoever is signed in; options.signal ends it. Returns {status, body}; throws ApiError.
 */
export async function call(method, path, data, { headers: further = {}, credentials = "same-origin", signal } = {}) {
  const { headers, body: sent } = bodyAndHeaders(method, data, credentials !== "omit");
  const { response, body } = await ask(path, { method, credentials, signal, headers: { ...headers, ...further }, body: sent }, bodyOf);
  // A session that ended redirects to the sign-in page.
  if (response.redirected && !(response.headers.get("content-type") ?? "").includes("json")) {
    throw new ApiError(SIGNED_OUT, { status: 401, code: "signed_out" });
  }
  if (!response.ok) throw refusal(response, body);
  return { status: response.status, body };
}

export const get = async (path) => (await call("GET", path)).body;
export const post = async (path, data) => (await call("POST", path, data ?? {})).body;

/** The bytes at a path, as an ArrayBuffer. */
export async function getBytes(path) {
  const { response, body } = await ask(path, {}, (answer) => (answer.ok ? answer.arrayBuffer() : bodyOf(answer)));
  if (!response.ok) throw refusal(response, body);
  return body;
}
