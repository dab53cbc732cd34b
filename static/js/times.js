// Times in words, for lists of what happened.

const WORDS = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STEPS = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [7, "day"],
];

/** "3 minutes ago", "yesterday"; after a week the date. now_ms: the server's clock. */
export function ago(iso, now_ms) {
  let span = (Date.parse(iso) - now_ms) / 1000;
  if (span > -5) return "just now";
  for (const [size, unit] of STEPS) {
    if (Math.abs(span) < size) return WORDS.format(Math.round(span), unit);
    span /= size;
  }
  return new Date(iso).toLocaleDateString("en", { day: "numeric", month: "long", year: "numeric" });
}

/** Writes it into a <time>, with the full time as its title. */
export function tellTime(element, iso, now_ms) {
  element.dateTime = iso;
  element.title = new Date(iso).toLocaleString("en", { dateStyle: "medium", timeStyle: "medium" });
  element.textContent = ago(iso, now_ms);
}

/** "1:04.5": minutes, seconds and tenths of a place in a recording. */
export function clock(seconds, digits = 1) {
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds - minutes * 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return `${minutes}:${rest}`;
}
