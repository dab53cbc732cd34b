// Takes that were hummed on an earlier visit and neither sent nor thrown away: each is offered, once.

import * as delivery from "./delivery.js";
import { unwarn, warn } from "./notices.js";
import * as outbox from "./outbox.js";
import { linkButton } from "./page.js";
import * as words from "./hum-words.js";

/** Throws a take away, by the person's own wish. */
export async function discard(id) {
  unwarn(id);
  await delivery.discard(id);
}

/** Offers what this person hummed, and what was hummed here by a guest: who has an account now may have been it. */
export async function offerDrafts(person) {
  const own = (await delivery.draftsHere()).filter((item) => item.guest || item.user === person);
  for (const item of own) {
    warn(item.id, "info", words.draft(item),
      linkButton(words.LINKS.sendDraft, () => sendDraft(item)),
      linkButton(words.LINKS.hearDraft, () => hearDraft(item)),
      linkButton(words.LINKS.discard, () => discard(item.id)));
  }
}

async function sendDraft(item) {
  unwarn(item.id);
  await outbox.keep({ ...item, draft: false });
  await delivery.sendAll();
}

function hearDraft({ wav }) {
  const sound = new Audio(URL.createObjectURL(new Blob([wav], { type: "audio/wav" })));
  sound.addEventListener("ended", () => URL.revokeObjectURL(sound.src));
  sound.play();
}
