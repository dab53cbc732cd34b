// The phrase is lent for some minutes. While the person is at it the lease is extended without a word; else they are
// asked in time. Time is the server's, so a wrong clock on the phone does no harm.

import { ApiError, post, serverNow } from "./api.js";

const LOOK_EVERY_MS = 5000;

// Extended when less than this is left and the person did something within ACTIVE_MS.
const EXTEND_BELOW_MS = 150_000;
const ACTIVE_MS = 120_000;

// The question comes with this much left: WCAG 2.2.1 asks for at least 20 seconds.
const WARN_BELOW_MS = 60_000;

export class Lease {
  /** told(event, seconds or null): "ending", "kept" or "over". */
  constructor(path, expiresAt, told) {
    this.path = path;
    this.told = told;
    this.active = Date.now();
    this.setEnd(expiresAt);
    this.timer = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  setEnd(expiresAt) {
    this.end = Date.parse(expiresAt);
  }

  get left_ms() {
    return this.end - serverNow();
  }

  /** The person did something. */
  touch() {
    this.active = Date.now();
  }

  async look() {
    if (this.left_ms <= 0) return this.over();
    if (this.left_ms < EXTEND_BELOW_MS && Date.now() - this.active < ACTIVE_MS) return this.extend();
    if (this.left_ms < WARN_BELOW_MS) this.told("ending", Math.ceil(this.left_ms / 1000));
    return undefined;
  }

  async extend() {
    this.touch();
    try {
      this.setEnd((await post(this.path)).expires_at);
      this.told("kept", null);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A lost network may come back before the end; a lease that is gone does not.
      if (!error.passing) this.over();
    }
  }

  over() {
    this.close();
    this.told("over", null);
  }

  close() {
    clearInterval(this.timer);
  }
}
