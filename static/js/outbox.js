// Takes wait here (IndexedDB) until the server says that they are saved. A closed tab, a lost network or an ended
// session lose nothing: what is left is sent by whichever page is next opened, or by the browser in the background
// (delivery.js, deliver-all.js). The server knows a take by its id, so sending twice makes one. A take that was hummed but not sent yet lies here as a draft.

import { call } from "./api.js";

const NAME = "chad";
const STORE = "takes";

// A server that has not answered by then is asked again later, ms: a take of 20 s is 3 MB, half a minute on a slow line.
const MOST_MS = 90_000;

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function database() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
  return settled(request);
}

/** Runs work(store) in one transaction and waits until it is on disk. */
async function within(mode, work) {
  const db = await database();
  try {
    const transaction = db.transaction(STORE, mode, { durability: "strict" });
    const result = settled(work(transaction.objectStore(STORE)));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
      transaction.onerror = () => reject(transaction.error);
    });
    return await result;
  } finally {
    db.close();
  }
}

/**
 * Keeps a take: {id, user, title, wav (ArrayBuffer), sha256, ticket, fragment, capture, draft}. A draft is not sent by itself.
 * Rejects with a DOMException where the browser keeps nothing (private windows, a full disk).
 */
export function keep(item) {
  return within("readwrite", (store) => store.put({ kept_at: new Date().toISOString(), ...item }));
}

async function everything() {
  const items = await within("readonly", (store) => store.getAll());
  return items.sort((a, b) => a.kept_at.localeCompare(b.kept_at));
}

/** Everything that is to be sent, the oldest first. */
export async function waiting() {
  return (await everything()).filter((item) => !item.draft);
}

/** Takes that were hummed and neither sent nor thrown away, the oldest first. */
export async function drafts() {
  return (await everything()).filter((item) => item.draft);
}

/** Forgets a take: only after the server has it, or by the person's own wish. */
export function forget(id) {
  return within("readwrite", (store) => store.delete(id));
}

/**
 * Sends one take. Resolves when the server has it on storage and in its database; throws ApiError. The ticket alone says
 * whose it is: a session that is over, or somebody else's, does not matter.
 */
export async function send({ id, wav, sha256, ticket, capture }) {
  const form = new FormData();
  form.append("audio", new Blob([wav], { type: "audio/wav" }), "take.wav");
  form.append("sha256", sha256);
  form.append("capture", JSON.stringify(capture));
  return call("PUT", `/api/hums/${id}`, form, { headers: { "X-Take-Ticket": ticket }, credentials: "omit", signal: AbortSignal.timeout(MOST_MS) });
}
