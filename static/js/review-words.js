// What the review page says. Pure functions.

import { fold } from "./melody.js";
import { count } from "./page.js";

const OCTAVE = 12;
const OCTAVE_WORDS = ["", "an octave", "two octaves", "three octaves"];

// "Both" brings a version of another pace into step by its speed; from so much on that is heard as another pitch.
const HEARD_PACE = 0.01;

/** The steps of slowness: what the button shows, and what is said. */
export const SPEEDS = [
  { speed: 1, label: "Full speed", said: "Full speed." },
  { speed: 0.75, label: "¾ speed, lower", said: "Three quarters of the speed. Slower is lower, too: both sides alike." },
  { speed: 0.5, label: "½ speed, lower", said: "Half the speed. Slower is lower, too: an octave." },
];

export const LEASE_OVER = "The time for this item is over, and somebody else may have it by now.";
export const KEPT = "Your verdict is kept on this page and sent again by itself.";
export const TAKEN_BACK = "It is taken back. Somebody else has the item by now, so you need not judge it again.";
export const HEAR_FIRST = "Listen to the version before you accept it.";

/** "+3" or "−3", with a real minus; "0" without a sign. */
export function signed(value, digits = 0) {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return `${value > 0 ? "+" : "−"}${text}`;
}

/** How a version's pitch lies to the original's: "an octave lower, then +3.0 semitones". */
export function interval(by) {
  const within = fold(by);
  const octaves = Math.round((by - within) / OCTAVE);
  const key = Math.abs(within) < 0.25 ? "the same key" : `${signed(within, 1)} semitones`;
  if (!octaves) return key;
  const size = OCTAVE_WORDS[Math.abs(octaves)] ?? `${Math.abs(octaves)} octaves`;
  const moved = `${size} ${octaves > 0 ? "higher" : "lower"}`;
  return Math.abs(within) < 0.25 ? moved : `${moved}, then ${key}`;
}

/** A correction in ms, or that there is none. */
export function correction(ms) {
  return Math.round(ms) ? `${signed(Math.round(ms))} ms` : "as found";
}

export function titleOf({ kind, song, phrase, phrases }) {
  return `${kind} · ${song}, phrase ${phrase} of ${phrases}`;
}

export function factsOf({ kind, artist, similarity, version }) {
  const rate = version.tempo_ratio ?? 1;
  const likeness = kind === "hum" ? "similarity" : "correlation";
  return [
    artist,
    `${likeness} ${similarity?.toFixed(2) ?? "unknown"}`,
    `tempo ${rate.toFixed(2)}`,
    Math.abs(rate - 1) > HEARD_PACE ? "“both” brings it into step by its speed, so its pitch moves too" : null,
  ].filter(Boolean).join(" · ");
}

/** In tens, so that the number does not tell which items were control items. */
export function leftOf({ left, left_is_more: isMore }) {
  return isMore ? `more than ${left.toLocaleString("en")} left` : `up to ${Math.max(10, left).toLocaleString("en")} left`;
}

export function leaseEnding(seconds) {
  return `This item goes back in ${count(seconds, "second")}, as nothing happened for some minutes.`;
}

/** What became of an item, in a few words: "Rejected, wrong tune". */
export function outcome({ decision, why }) {
  if (decision === "pass") return "Passed over";
  if (decision === "accept") return "Accepted";
  return why ? `Rejected, ${why}` : "Rejected";
}

export function placeOf({ song, phrase }) {
  return `${song}, phrase ${phrase}`;
}

/** What practice says: whether it was right, and what was expected. */
export function practiceTitle({ right, expected }) {
  if (right) return "Right";
  return expected === "accept" ? "Not quite: this one is good" : "Not quite: this one is to be rejected";
}

export function unsent(number) {
  return number === 1 ? "One verdict is not sent yet." : `${number} verdicts are not sent yet.`;
}

/** Why a call failed, in this page's words where the general ones speak of recordings. */
export function whyNot({ status, message }) {
  if (status === 0) return "We cannot reach the server.";
  return status >= 500 ? "The server had a problem." : message;
}
