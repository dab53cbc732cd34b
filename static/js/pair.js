// The picture of a mined pair: the correlation map, the courses of the passages, the fragments as boxes, and both pitch
// curves along the edges. One box has the focus; the arrow keys go from one to the next in the order of the cover. What
// is pointed at or has the focus shows its numbers beside the picture, and plays. The table below says the same.

import { ApiError } from "./api.js";
import { Hearing } from "./hear.js";
import { announce, byId, dataOf, notice } from "./page.js";
import { element, keepDrawn, pathOf, scale, text } from "./plots.js";
import { clock } from "./times.js";

const drawn = dataOf("drawn");
// The strips of the curves, the labels of the axes, and what is kept free at the far ends, px.
const STRIP = { wide: 56, narrow: 36 };
const LABELS = { left: 38, top: 20 };
const FAR = 10;
// The picture is about as high as the recordings are long beside each other, within limits (of its width, and px).
const SHAPE = { least: 0.45, most: 1.1, highest: 680 };
const TICKS_S = [5, 10, 15, 30, 60, 120, 300, 600];
const TICK_APART = 60;
// A box is no smaller than can be pressed, px.
const LEAST_BOX = 24;

// ---------------------------------------------------------------- the fragment that is looked at

let looked = null;

function look(fragment, group) {
  looked = fragment;
  document.querySelectorAll(".pair__one[data-shown]").forEach((one) => one.removeAttribute("data-shown"));
  group.setAttribute("data-shown", "");
  byId("no-fragment").hidden = true;
  byId("one-fragment").hidden = false;
  byId("fragment-name").textContent = fragment.name;
  byId("fragment-state").textContent = fragment.state_words;
  byId("fragment-facts").replaceChildren(...fragment.facts.map(([words, value]) => {
    const row = document.createElement("div");
    const [name, said] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = words;
    said.textContent = value;
    row.append(name, said);
    return row;
  }));
}

// ---------------------------------------------------------------- hearing

const hearing = new Hearing(new AudioContext());

async function hear(paths, button) {
  try {
    await hearing.toggle(paths, button);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("notices").replaceChildren(notice("bad", error.message));
    announce(error.message, { urgent: true });
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-hear]");
  if (button) hear([button.dataset.hear], button);
});

// ---------------------------------------------------------------- the picture

function ticks(duration_s, pixels) {
  const step = TICKS_S.find((one) => (one / duration_s) * pixels >= TICK_APART) ?? TICKS_S.at(-1);
  return Array.from({ length: Math.floor(duration_s / step) + 1 }, (_, k) => k * step);
}

/** The range in which nearly all of a curve lies: a tracker's leaps of an octave do not flatten the rest. */
function rangeOf(pitch) {
  const heard = pitch.filter((one) => one !== null).sort((a, b) => a - b);
  return [0.02, 0.98].map((share) => heard[Math.round(share * (heard.length - 1))] ?? 0);
}

/** A pitch curve in its voiced strokes, along a strip: along(seconds) and up(share of its range) are px. */
function strokes({ pitch, hop_s: hop }, along, up) {
  const [low, high] = rangeOf(pitch);
  const share = (one) => Math.min(1.1, Math.max(-0.1, (one - low) / (high - low || 1)));
  const paths = [];
  let points = [];
  pitch.forEach((one, k) => {
    if (one !== null) points.push([along(k * hop), up(share(one))]);
    if ((one === null || k === pitch.length - 1) && points.length) {
      paths.push(points.length > 1 ? points : [points[0], points[0]]);
      points = [];
    }
  });
  return paths;
}

function curves(x, y, strip) {
  const { original, cover } = drawn.sides;
  const across = scale(0, 1, LABELS.top + strip - 8, LABELS.top + 6);
  const down = scale(0, 1, LABELS.left + strip - 8, LABELS.left + 6);
  const top = strokes(cover, x, across);
  const left = strokes(original, y, down).map((points) => points.map(([along, up]) => [up, along]));
  return [
    element("path", { class: "pair__curve pair__curve--original", d: left.map(pathOf).join("") }),
    element("path", { class: "pair__curve pair__curve--cover", d: top.map(pathOf).join("") }),
  ];
}

function map(x, y) {
  if (!drawn.map) return [];
  const area = { x: x(0), y: y(0), width: x(drawn.map_s.cover) - x(0), height: y(drawn.map_s.original) - y(0) };
  const mask = element("mask", { id: "map-mask", maskUnits: "userSpaceOnUse", ...area });
  mask.append(element("image", { href: drawn.map, preserveAspectRatio: "none", ...area }));
  return [mask, element("rect", { class: "pair__map", mask: "url(#map-mask)", ...area })];
}

function axes(x, y, width, height) {
  const { original, cover } = drawn.sides;
  return [
    ...ticks(cover.duration_s, width - x(0)).flatMap((second) => [
      element("line", { class: "plot__grid", x1: x(second), x2: x(second), y1: y(0), y2: y(original.duration_s) }),
      text(x(second), 13, clock(second, 0), { "text-anchor": x(second) > width - 24 ? "end" : "middle" }),
    ]),
    ...ticks(original.duration_s, height - y(0)).flatMap((second) => [
      element("line", { class: "plot__grid", x1: x(0), x2: x(cover.duration_s), y1: y(second), y2: y(second) }),
      text(LABELS.left - 6, y(second) + 4, clock(second, 0), { "text-anchor": "end" }),
    ]),
  ];
}

function box(fragment, k, x, y) {
  const [left, right] = fragment.cover.map(x);
  const [top, bottom] = fragment.original.map(y);
  const [width, height] = [Math.max(LEAST_BOX, right - left), Math.max(LEAST_BOX, bottom - top)];
  const area = { x: (left + right - width) / 2, y: (top + bottom - height) / 2, width, height };
  const ring = { x: area.x - 4, y: area.y - 4, width: width + 8, height: height + 8, rx: 4 };
  const said = fragment.facts.map(([words, value]) => `${words}: ${value}`).join("; ");
  const group = element("g", {
    class: "pair__one", tabindex: k ? "-1" : "0", role: "button", "data-fragment": fragment.id,
    "aria-label": `${fragment.name}, ${fragment.state_words}. ${said}`,
  });
  group.append(element("rect", { class: "pair__ring", ...ring }), element("rect", { class: `pair__box pair__box--${fragment.state}`, ...area }));
  group.addEventListener("pointerenter", () => look(fragment, group));
  group.addEventListener("focus", () => look(fragment, group));
  group.addEventListener("click", () => hearBoth(fragment));
  if (looked?.id === fragment.id) group.setAttribute("data-shown", "");
  return group;
}

function hearBoth({ audio }) {
  hear([audio.original, audio.cover], null);
}

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

function byKeys(event, boxes) {
  const at = boxes.indexOf(document.activeElement);
  if (at < 0) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    hearBoth(drawn.fragments[at]);
  }
  if (!STEPS[event.key]) return;
  event.preventDefault();
  const next = boxes[(at + STEPS[event.key] + boxes.length) % boxes.length];
  boxes[at].setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

function draw(width) {
  const strip = width < 480 ? STRIP.narrow : STRIP.wide;
  const { original, cover } = drawn.sides;
  const [left, top] = [LABELS.left + strip, LABELS.top + strip];
  const across = width - left - FAR;
  const shape = Math.min(SHAPE.most, Math.max(SHAPE.least, original.duration_s / cover.duration_s));
  const height = top + Math.min(SHAPE.highest, across * shape) + FAR;
  const [x, y] = [scale(0, cover.duration_s, left, width - FAR), scale(0, original.duration_s, top, height - FAR)];
  const svg = element("svg", { class: "plot__svg", width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Correlation map of the original and the cover, with what was found" });
  const courses = drawn.courses.map((course) => pathOf(course.map(([a, b]) => [x(b), y(a)])));
  const boxes = drawn.fragments.map((fragment, k) => box(fragment, k, x, y));
  svg.append(
    ...axes(x, y, width, height),
    element("rect", { class: "pair__frame", x: left, y: top, width: across, height: height - top - FAR }),
    ...map(x, y),
    ...curves(x, y, strip),
    ...courses.map((d) => element("path", { class: "pair__course", d })),
    ...boxes,
  );
  svg.addEventListener("keydown", (event) => byKeys(event, boxes));
  return svg;
}

if (drawn) {
  keepDrawn(byId("picture"), draw);
  byId("hear-original").addEventListener("click", ({ currentTarget }) => hear([looked.audio.original], currentTarget));
  byId("hear-cover").addEventListener("click", ({ currentTarget }) => hear([looked.audio.cover], currentTarget));
}
