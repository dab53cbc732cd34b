// What the humming page says. One place, so that the voice stays one: plain, warm, short; what happened, what to do.

import { count } from "./page.js";

export const MICROPHONE = {
  denied: "The browser keeps the microphone from us. Allow it in the address bar or in the settings of the browser, then try again.",
  none: "We found no microphone. Plug one in, then try again.",
  busy: "Another program holds the microphone. Close it there, then try again.",
  insecure: "This address is not secure, so the browser gives no microphone. Open the page by https, or on this computer as http://localhost.",
  gone: "The microphone is gone. Plug it in again, then turn it on here.",
};

const PROCESSING = {
  echoCancellation: "echo cancellation",
  noiseSuppression: "noise suppression",
  autoGainControl: "gain control",
};

export function processingStays(names) {
  const list = names.map((name) => PROCESSING[name]).join(" and ");
  return `This browser keeps its ${list} on, which may blur a hum. You can go on; another browser or microphone may do better.`;
}

export const LISTEN = "Listen";
export const READY = "Get ready.";
export const RECORDING = "Recording.";
export const THREE_LEFT = "Three seconds left.";
export const STOPPED = "Stopped. Nothing was kept.";

export const FINE = "We heard you well. Listen to it, or send it.";
export const SEND_ANYWAY = "Send it anyway";

export const SENDING = "Sending your hum. It is safe on this device.";
export const CHECKING = "Saved. The automatic check is listening now; you need not wait.";
export const ACCEPTED = "Saved, and the check knows the melody. A second person will hear it. Thank you.";
export const SURPLUS = "This phrase had hums enough already, so yours is kept as a spare.";
export const SLOW_CHECK = "The check takes longer than usual and goes on without you. You find its answer under My takes.";
export const WITHDRAWN = "This take was withdrawn.";
export const NO_OUTBOX = "This browser cannot keep your hum if the page is closed. Stay here until it says that it is saved.";
export const KEPT_OFFLINE = "There is no connection. Your hum is kept on this device and sent as soon as there is one.";
export const KEPT_BUSY = "The server could not take your hum just now. It is kept on this device and sent again soon.";
export const KEPT_SIGNED_OUT = "You are signed out. Your hum is kept on this device; sign in and it is sent.";
export const LEASE_OVER = "The time for this phrase is over, so somebody else may get it. You can still hum it and send it.";
export const PAGE_BROKE = "Something went wrong on this page. Reload it; hums that you have sent or kept are safe.";

export function leaseEnding(seconds) {
  return `This phrase is kept for you for another ${seconds} seconds.`;
}

export function couldNotSend(title, sentence) {
  return `Your hum of “${title}” could not be sent: ${sentence}`;
}

export function othersWait(number) {
  return `${count(number, "hum")} of somebody else ${number === 1 ? "waits" : "wait"} on this device until they sign in.`;
}

export function earlier(title, accepted) {
  return accepted ? `“${title}”: the check knows it.` : `“${title}”: the check was not content. Its reason is under My takes.`;
}

export function waitedSaved(number) {
  return `${count(number, "hum")} that waited on this device ${number === 1 ? "is" : "are"} now saved.`;
}

/** Short: it is one line on a phone. */
export function progress({ today, accepted }, waits) {
  const parts = [`${today} sent today`, `${accepted} accepted`];
  if (waits) parts.push(`${waits} waiting`);
  return parts.join(" · ");
}

export function place({ phrase, phrases, artist, duration_s }) {
  return [artist, `phrase ${phrase} of ${phrases}`, `${duration_s.toFixed(1)} s`].filter(Boolean).join(" · ");
}
