// Small things that every page's script needs.

/** The element with this id. Throws where the template lacks it: a slip of ours, not of the person. */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/** What the view passed with {{ value|json_script:id }}, or null. */
export function dataOf(id) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : null;
}

/** One icon of the sprite, as an SVG element. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const NOTICE_ICONS = { good: "circle-check", warning: "triangle-alert", bad: "circle-alert", info: "info" };

/** A notice as in templates/parts/notice.html. more: elements after the sentence (a link, a button). */
export function notice(kind, sentence, ...more) {
  const box = document.createElement("div");
  box.className = `notice notice--${kind}`;
  const words = document.createElement("div");
  words.append(sentence, ...more.flatMap((element) => [" ", element]));
  box.append(icon(NOTICE_ICONS[kind]), words);
  return box;
}

/** A button that reads like a link, for notices. */
export function linkButton(words, action) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "link";
  button.textContent = words;
  button.addEventListener("click", action);
  return button;
}

/** Whether the element is somewhere on the page: not hidden, and in no part that is. */
export function isShown(element) {
  return element.getClientRects().length > 0;
}

/** Says it to screen readers; urgent interrupts. */
export function announce(sentence, { urgent = false } = {}) {
  const place = document.querySelector(urgent ? "[data-announcer-urgent]" : "[data-announcer]");
  if (!place) return;
  place.textContent = "";
  // An emptied region must be seen as empty first, or the same words twice are said once.
  setTimeout(() => { place.textContent = sentence; }, 50);
}

/** "1 hum", "2 hums". */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString(document.documentElement.lang || "en")} ${number === 1 ? one : many}`;
}

/** A value remembered on this device; null where storage is forbidden or empty. */
export function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch (error) {
    if (error.name === "SecurityError") return null;
    throw error;
  }
}

/** Remembers on this device, where it may; null forgets. */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch (error) {
    if (error.name !== "SecurityError" && error.name !== "QuotaExceededError") throw error;
  }
}
