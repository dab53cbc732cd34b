// What the finding page says.

import { fold } from "./melody.js";
import { clock } from "./times.js";
import { decimal, gettext, interpolate, ngettext } from "./words.js";

export const ACTS = {
  hum: gettext("Hum"),
  opening: gettext("One moment"),
  stop: gettext("Stop and search"),
  searching: gettext("Searching"),
  again: gettext("Hum again"),
};

export const LISTENING = gettext("Hum now. We listen.");
export const SEARCHING = gettext("Searching.");
export const CANCELLED = gettext("Stopped. Nothing was kept.");
export const SO_FAR = gettext("So far");
export const NOT_YET = gettext("The first songs show after three seconds.");
export const TOO_SHORT = gettext("That was too short. Press once, hum a few seconds, and press again.");
export const INTERRUPTED = gettext("The sound was interrupted, so we searched with what we heard before.");
export const NO_FILE_SOUND = gettext("This file is empty. Choose another one.");
export const PAGE_BROKE = gettext("Something went wrong on this page. Reload it and hum again.");

const UNKNOWN = gettext("We do not know this one");
const UNSURE = gettext("It may be one of these");
const NO_SONGS = gettext("There is nothing to search yet");

export const LINKS = {
  searchAgain: gettext("Search again"),
  takeBack: gettext("Take it back"),
  keep: gettext("Give this hum"),
  takes: gettext("My takes"),
  signUp: gettext("Keep my takes"),
};

export const MARKS = {
  right: gettext("Your word: that’s it"),
  wrong: gettext("Your word: not this"),
  thanks: gettext("Thank you. That tells us how well the search does."),
  notThis: gettext("Thank you. Look at the others, or hum again."),
  offer: gettext("Would you give this hum to our open collection of hums?"),
  takenBack: gettext("Taken back."),
};

// Less than this is not told apart.
const LEAST_SHOWN = 0.01;

const SURE = [
  [0.9, gettext("almost certain")],
  [0.6, gettext("likely")],
  [0.3, gettext("possible")],
  [0, gettext("not likely")],
];

function inPercent(share) {
  return new Intl.NumberFormat(document.documentElement.lang || "en", { style: "percent" }).format(share);
}

/** How sure a probability is, in words and as a number. */
export function sureness(probability) {
  const [, words] = SURE.find(([least]) => probability >= least);
  return `${words}, ${probability < LEAST_SHOWN ? `< ${inPercent(LEAST_SHOWN)}` : inPercent(probability)}`;
}

/** The answer in one line. */
export function verdict({ is_here, found, index }) {
  if (!found.length && index && !index.songs) return NO_SONGS;
  if (!is_here || !found.length) return UNKNOWN;
  const [{ song, probability }] = found;
  if (probability >= 0.9) return interpolate(gettext("This is “%(title)s”"), song);
  return probability >= 0.5 ? interpolate(gettext("Probably “%(title)s”"), song) : UNSURE;
}

export function whatNow(songs) {
  const sentence = ngettext(
    "It is not the %(n)s song that we know, or we caught too little of the tune. Hum longer, or another passage: the chorus is the easiest to find.",
    "It is not among the %(n)s songs that we know, or we caught too little of the tune. Hum longer, or another passage: the chorus is the easiest to find.",
    songs,
  );
  return interpolate(sentence, { n: songs.toLocaleString(document.documentElement.lang || "en") });
}

/** How much was searched, and how long it took from the end of the hum to the answer. */
export function searched(songs, seconds) {
  const sentence = ngettext("%(n)s song searched in %(seconds)s s", "%(n)s songs searched in %(seconds)s s", songs);
  return interpolate(sentence, { n: songs.toLocaleString(document.documentElement.lang || "en"), seconds: decimal(seconds) });
}

export function heard(heard_s, most_s) {
  return interpolate(gettext("%(heard)s of %(most)s s"), { heard: Math.floor(heard_s), most: most_s });
}

const minutes = (seconds) => clock(Math.round(seconds), 0);

export const playFrom = (start_s) => interpolate(gettext("Play from %(from)s"), { from: minutes(start_s) });

/** Where in the song, and how it was hummed. */
export function place({ start_s, end_s, transposition, tempo_ratio }) {
  const where = interpolate(gettext("You hummed %(from)s to %(to)s of it"), { from: minutes(start_s), to: minutes(end_s) });
  return [where, key(transposition), pace(tempo_ratio)].filter(Boolean).join(", ");
}

/** Octaves do not count: a low voice hums the same key. Null: hum and song nowhere sound together. */
function key(transposition) {
  if (transposition === null) return "";
  const semitones = Math.round(fold(transposition));
  if (!semitones) return gettext("in its key");
  const n = Math.abs(semitones);
  const higher = ngettext("%(n)s semitone higher", "%(n)s semitones higher", n);
  const lower = ngettext("%(n)s semitone lower", "%(n)s semitones lower", n);
  return interpolate(semitones > 0 ? higher : lower, { n });
}

// A tempo within this share of the song's own is its own.
const SAME_TEMPO = 0.05;

/** tempo_ratio: seconds of the hum for a second of the song. */
function pace(tempo_ratio) {
  if (Math.abs(tempo_ratio - 1) < SAME_TEMPO) return "";
  const percent = inPercent(Math.abs(1 / tempo_ratio - 1));
  return interpolate(tempo_ratio < 1 ? gettext("%(percent)s faster") : gettext("%(percent)s slower"), { percent });
}

export const YOUR_HUM = gettext("Your hum");
