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
export const YOUR_LAST = gettext("Your last answer");
export const NOT_YOURS = gettext("There is no such answer of yours any more. Hum again to get a new one.");
export const LOOK_AGAIN = gettext("It may be one of these. If it is none, hum longer, or another passage: the chorus is the easiest to find.");
export const PAGE_BROKE = gettext("Something went wrong on this page. Reload it and hum again.");

const UNKNOWN = gettext("We do not know this one");
const NOT_ALL = gettext("We could not look through all songs");
const UNSURE = gettext("It may be one of these");
const NOT_SURE = gettext("We are not sure");
const NO_SONGS = gettext("There is nothing to search yet");

export const LINKS = {
  searchAgain: gettext("Search again"),
  showAgain: gettext("Try again"),
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
  kept: gettext("Your hum is kept."),
  offer: gettext("Would you give this hum to our open collection of hums?"),
  takenBack: gettext("Taken back."),
};

// Less than this is not told apart, nor is more than that: no search is certain.
const LEAST_SHOWN = 0.01;
const MOST_SHOWN = 0.99;

// From here on a song is likely the one that was hummed.
const LIKELY = 0.6;

// A tune that is rather there than not, yet not surely so, is told to be unsure and not to be missing.
const UNSURE_FROM = 0.5;

const SURE = [
  [0.9, gettext("almost certain")],
  [LIKELY, gettext("likely")],
  [0.3, gettext("possible")],
  [0, gettext("not likely")],
];

function inPercent(share) {
  return new Intl.NumberFormat(document.documentElement.lang || "en", { style: "percent" }).format(share);
}

/** How sure a probability is, in words and as a number. */
export function sureness(probability) {
  const [, words] = SURE.find(([least]) => probability >= least);
  return `${words}, ${probability < LEAST_SHOWN ? `< ${inPercent(LEAST_SHOWN)}` : inPercent(Math.min(probability, MOST_SHOWN))}`;
}

/** Whether the tune is rather there than not, yet not surely so. */
export function isUnsure({ here, is_here, found }) {
  return !is_here && here >= UNSURE_FROM && found.length > 0;
}

/** The answer in one line. is_here is null where it may be among songs that could not be searched just now. */
export function verdict({ here, is_here, found, index }) {
  if (isUnsure({ here, is_here, found })) return NOT_SURE;
  if (is_here === null) return NOT_ALL;
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

/** How much was searched, and how long it took from the end of the hum to the answer; null where nobody counted. */
export function searched(songs, seconds) {
  if (seconds === null) {
    const alone = ngettext("%(n)s song searched", "%(n)s songs searched", songs);
    return interpolate(alone, { n: songs.toLocaleString(document.documentElement.lang || "en") });
  }
  const sentence = ngettext("%(n)s song searched in %(seconds)s s", "%(n)s songs searched in %(seconds)s s", songs);
  return interpolate(sentence, { n: songs.toLocaleString(document.documentElement.lang || "en"), seconds: decimal(seconds) });
}

export function heard(heard_s, most_s) {
  return interpolate(gettext("%(heard)s of %(most)s s"), { heard: Math.floor(heard_s), most: most_s });
}

const minutes = (seconds) => clock(Math.round(seconds), 0);

export const playFrom = (start_s) => interpolate(gettext("Play from %(from)s"), { from: minutes(start_s) });

/** Where in the song, and how it was hummed. Of a song that is not likely the one, only where the hum fits best. */
export function place({ start_s, end_s, transposition, tempo_ratio, probability }) {
  const sentence = probability >= LIKELY ? gettext("You hummed %(from)s to %(to)s of it") : gettext("Your hum fits %(from)s to %(to)s");
  const where = interpolate(sentence, { from: minutes(start_s), to: minutes(end_s) });
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
