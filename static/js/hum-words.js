// What the humming page says. One place, so that the voice stays one: plain, warm, short; what happened, what to do.

import { decimal, gettext, interpolate, ngettext } from "./words.js";

export const MICROPHONE = {
  denied: gettext("The browser keeps the microphone from us. Allow it in the address bar or in the settings of the browser, then try again."),
  none: gettext("We found no microphone. Plug one in, then try again."),
  busy: gettext("Another program holds the microphone. Close it there, then try again."),
  insecure: gettext("This address is not secure, so the browser gives no microphone. Open the page by https, or on this computer as http://localhost."),
  gone: gettext("The microphone is gone. Plug it in again, then turn it on here."),
};

const PROCESSING = {
  echoCancellation: gettext("This browser keeps its echo cancellation on, which may blur a hum. You can go on; another browser or microphone may do better."),
  noiseSuppression: gettext("This browser keeps its noise suppression on, which may blur a hum. You can go on; another browser or microphone may do better."),
  autoGainControl: gettext("This browser keeps its gain control on, which may blur a hum. You can go on; another browser or microphone may do better."),
};

export function processingStays(names) {
  if (names.length === 1) return PROCESSING[names[0]];
  return gettext("This browser keeps its voice processing on, which may blur a hum. You can go on; another browser or microphone may do better.");
}

export const LISTEN = gettext("Listen");
export const LISTENING = gettext("Listen.");
export const READY = gettext("Get ready.");
export const RECORDING = gettext("Recording.");
export const THREE_LEFT = gettext("Three seconds left.");
export const STOPPED = gettext("Stopped. Nothing was kept.");

export const SPACE = gettext("Space");

export const ACTS = {
  along: gettext("Hum along"),
  now: gettext("Hum now"),
  listen: gettext("Listen, then hum"),
  stop: gettext("Stop"),
  again: gettext("Hum it again"),
  send: gettext("Send"),
  sending: gettext("Sending"),
  next: gettext("Next phrase"),
};

export const LINKS = {
  signIn: gettext("Sign in"),
  signUp: gettext("Keep my takes"),
  tryAgain: gettext("Try again"),
  discard: gettext("Discard it"),
  keepPhrase: gettext("Keep it"),
  sendAnyway: gettext("Send it anyway"),
  sendDraft: gettext("Send it"),
  hearDraft: gettext("Hear it"),
  takeBack: gettext("Take it back"),
  asGuest: gettext("Go on as a guest"),
  check: gettext("Check the sound again"),
};

export const FINE = gettext("We heard you well. Listen to it, or send it.");

export const SENDING = gettext("Sending your hum. It is safe on this device.");
export const CHECKING = gettext("Saved, thank you. The automatic check is listening now; you need not wait.");
export const ACCEPTED = gettext("Saved, and the check knows the melody. A second person will hear it. Thank you.");
export const SURPLUS = gettext("This phrase had hums enough already, so yours is kept as a spare.");
export const SLOW_CHECK = gettext("The check takes longer than usual and goes on without you. You find its answer under My takes.");
export const WITHDRAWN = gettext("This take was withdrawn.");
export const NO_OUTBOX = gettext("This browser cannot keep your hum if the page is closed. Stay here until it says that it is saved.");
export const KEPT_OFFLINE = gettext("There is no connection. Your hum is kept on this device and sent as soon as there is one.");
export const KEPT_BUSY = gettext("The server could not take your hum just now. It is kept on this device and sent again soon.");
export const LEASE_OVER = gettext("The time for this phrase is over, so somebody else may get it. You can still hum it and send it.");
export const PAGE_BROKE = gettext("Something went wrong on this page. Reload it; hums that you have sent or kept are safe.");
export const DEVICES_CHANGED = gettext("Your microphone or headphones changed, so the sound is checked again.");
export const GUEST = gettext("This browser alone knows that the take is yours.");

export function leaseEnding(seconds) {
  return interpolate(gettext("This phrase is kept for you for another %(seconds)s seconds."), { seconds });
}

export function couldNotSend(title, sentence) {
  return interpolate(gettext("Your hum of “%(title)s” could not be sent: %(sentence)s"), { title, sentence });
}

export function skipped(title) {
  return interpolate(gettext("Skipped “%(title)s”."), { title });
}

export function draft({ title, kept_at }) {
  const on = new Date(kept_at).toLocaleDateString(document.documentElement.lang || "en", { weekday: "long", day: "numeric", month: "long" });
  return interpolate(gettext("You hummed “%(title)s” on %(on)s and did not send it."), { title, on });
}

export function earlier(title, accepted) {
  const good = gettext("“%(title)s”: the check knows it.");
  const bad = gettext("“%(title)s”: the check was not content. Its reason is under My takes.");
  return interpolate(accepted ? good : bad, { title });
}

export function waitedSaved(number) {
  const words = ngettext("%(n)s hum that waited on this device is now saved.", "%(n)s hums that waited on this device are now saved.", number);
  return interpolate(words, { n: number });
}

/** The progress after one more take was saved, until the server tells it. */
export function oneMore({ today, all, collection, ...rest }) {
  return { ...rest, today: today + 1, all: all + 1, collection: collection && { ...collection, takes: collection.takes + 1 } };
}

/** Short: it is one line on a phone. collection: {takes, wanted}. */
export function progress({ today, all, accepted, collection }) {
  const language = document.documentElement.lang || "en";
  const own = interpolate(gettext("%(today)s today, %(all)s in all, %(accepted)s accepted"), { today, all, accepted });
  if (!collection) return own;
  const [takes, wanted] = [collection.takes, collection.wanted].map((n) => n.toLocaleString(language));
  return `${own} · ${interpolate(gettext("everybody: %(takes)s of %(wanted)s"), { takes, wanted })}`;
}

export function place({ phrase, phrases, artist, duration_s }) {
  const where = interpolate(gettext("phrase %(phrase)s of %(phrases)s"), { phrase, phrases });
  return [artist, where, interpolate(gettext("%(seconds)s s"), { seconds: decimal(duration_s) })].filter(Boolean).join(" · ");
}

// ---------------------------------------------------------------- the sound check

export const CHECK = {
  hum: gettext("On “mm”, as loud as you are going to hum."),
  louder: gettext("You are quiet. Come closer to the microphone, or hum louder."),
  softer: gettext("That is too loud. Move back a little."),
  silent: gettext("We do not hear you. Check that the microphone is not muted."),
  heard: gettext("We hear you well."),
  narrow: gettext("This microphone sounds like a telephone call, as Bluetooth headsets do. You can go on; the phone’s own microphone would sound better."),
  quiet: gettext("Be quiet now. The sounds come as soon as it is quiet."),
  playing: gettext("Quiet, please. A few short sounds."),
  soft: gettext("We play a few short soft sounds, to tell headphones from a loudspeaker."),
  before: gettext("Checked before on this device."),
  moment: gettext("One quiet moment, please: we play a few soft sounds to hear how they come back."),
  headphones: gettext("Headphones. You can hum along with the melody."),
  didYouHear: gettext("The microphone did not hear the sounds. Did you?"),
  heardIt: gettext("Yes, in my headphones"),
  heardAloud: gettext("Yes, from a loudspeaker"),
  heardNothing: gettext("No"),
  turnUp: gettext("Then the volume is off. Turn it up, and play the sounds again."),
  unsure: gettext("It was too loud around you to tell. Try again in a quiet moment, or say it yourself."),
  again: gettext("Play the sounds again"),
  wear: gettext("I wear headphones"),
  wearNone: gettext("I wear none"),
  none: gettext("No headphones: listen first, then hum."),
  done: gettext("The sound check is done."),
};

export function loudspeaker(latency_s) {
  return interpolate(gettext("Loudspeaker, %(ms)s ms from there to the microphone. You listen first, then hum."), { ms: Math.round(latency_s * 1000) });
}

export function level(db) {
  return db <= -120 ? "" : interpolate(gettext("%(db)s dB"), { db: Math.round(db).toLocaleString(document.documentElement.lang || "en").replace("-", "−") });
}
