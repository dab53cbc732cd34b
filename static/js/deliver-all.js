// Sends what waits in the outbox, one take after another, from a page or from the service worker: whoever comes first
// holds the lock, the other finds nothing left.

import { ApiError } from "./api.js";
import * as outbox from "./outbox.js";

export const NAME = "chad-outbox";

async function alone(work) {
  return navigator.locks ? navigator.locks.request(NAME, work) : work();
}

/** Sends one take and forgets it here once it is saved: {item, status} or {item, error}. */
export async function deliver(item) {
  try {
    const { status } = await outbox.send(item);
    await forget(item.id);
    return { item, status };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { item, error };
  }
}

/** Forgets a take here; there is nothing to forget where the browser keeps nothing and it was sent from memory. */
export async function forget(id) {
  try {
    await outbox.forget(id);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

/** What waits; nothing where the browser keeps nothing. */
export async function waiting() {
  try {
    return await outbox.waiting();
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return [];
  }
}

/**
 * Sends everything that waits, the oldest first; told(result of deliver) for each. One that the server refuses does not
 * hold up the others; a lost network or a server that asks for a pause does. Returns null when nothing is left for a better
 * moment, else how long the server asks to wait, ms (0 for no word).
 */
export function deliverAll(told) {
  return alone(async () => {
    for (const item of await waiting()) {
      const result = await deliver(item);
      await told(result);
      if (result.error?.passing) return result.error.retry_s * 1000;
    }
    return null;
  });
}
