// The items on the desk are lent for some minutes: extended while the reviewer is at it, else asked about in time.

import { Lease } from "./lease.js";
import { linkButton } from "./page.js";
import { tell, untell } from "./review-notices.js";
import { LEASE_OVER, leaseEnding } from "./review-words.js";

export class DeskLease {
  /** over(): the reviewer wants to go on after it ended. */
  constructor(desk, over) {
    Object.assign(this, { desk, over });
    this.lease = null;
    ["pointerdown", "keydown"].forEach((event) => document.addEventListener(event, () => this.lease?.touch()));
  }

  /** Goes by what is on the desk now. */
  watch() {
    this.close();
    const ends = this.desk.held().map(({ expires_at }) => expires_at);
    if (!ends.length) return;
    const first = ends.reduce((a, b) => (Date.parse(a) < Date.parse(b) ? a : b));
    this.lease = new Lease("/api/review/extend", first, (event, seconds) => this.told(event, seconds));
  }

  close() {
    this.lease?.close();
    untell("lease");
  }

  told(event, seconds) {
    untell("lease");
    // All that is held is extended together.
    if (event === "kept") this.desk.held().forEach((item) => { item.expires_at = new Date(this.lease.end).toISOString(); });
    if (event === "ending") tell("lease", "warning", leaseEnding(seconds), linkButton("Keep it", () => this.lease.extend()));
    if (event !== "over") return;
    this.desk.forget();
    tell("lease", "warning", LEASE_OVER, linkButton("Fetch the next one", () => this.over()));
  }
}
