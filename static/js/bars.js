// Bars as SVG, drawn at the width of their figure: upright ones over the same places, in panels above each other, and lying
// ones of several parts. Colours are CSS classes. A picture stands beside a table with the same numbers, never alone.

import { element, keepDrawn, scale, text } from "./plots.js";

const AIR = { left: 40, right: 16, top: 26, bottom: 24 };
const PANEL = { height: 84, between: 30 };
const ROW = { height: 18, between: 34 };
// Names under bars are no closer than this, px.
const LEAST_APART = 44;

const written = (number) => number.toLocaleString(document.documentElement.lang || "en");

/** Draws what a figure's data say: {shape: "panels" or "rows", label, …}, as recordings/release_page.py makes it. */
export function drawBars(figure) {
  const plot = JSON.parse(figure.dataset.plot);
  keepDrawn(figure, (width) => (plot.shape === "panels" ? panels(plot, width) : rows(plot, width)));
}

function picture(width, height, label) {
  return element("svg", { class: "plot__svg", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}

/** A bar with its figure, which the pointer shows. */
function bar(attributes, words) {
  return element("rect", { ...attributes, class: `bar ${attributes.class}` }, element("title", {}, words));
}

// ---------------------------------------------------------------- upright bars

/**
 * panels: [{name, className, values}] over the same places, which have names; below them stand ticks between the bars (one
 * more than there are bars), or categories in their middle.
 */
function panels({ panels: shown, names, ticks, categories, xName, label }, width) {
  const height = shown.length * (PANEL.height + PANEL.between) + AIR.bottom + 14;
  const svg = picture(width, height, label);
  const bars = shown[0].values.length;
  const x = scale(0, bars, AIR.left, width - AIR.right);
  const gap = x(1) - x(0) > 8 ? 2 : 0.5;
  shown.forEach(({ name, className, values }, n) => {
    const top = n * (PANEL.height + PANEL.between) + AIR.top;
    const foot = top + PANEL.height;
    const most = Math.max(...values, 1);
    const y = scale(0, most, foot, top);
    for (const value of most > 1 ? [0, most] : [0, 1]) {
      svg.append(element("line", { class: "plot__grid", x1: AIR.left, x2: width - AIR.right, y1: y(value), y2: y(value) }));
      svg.append(text(AIR.left - 8, y(value) + 4, written(value), { "text-anchor": "end" }));
    }
    svg.append(text(AIR.left, top - 10, name, { class: "plot__text plot__text--name" }));
    values.forEach((value, k) => {
      if (!value) return;
      // One of very many is still seen.
      const tall = Math.max(2, foot - y(value));
      svg.append(bar({ class: className, x: x(k) + gap / 2, width: Math.max(1, x(k + 1) - x(k) - gap), y: foot - tall, height: tall }, `${names[k]}: ${written(value)}`));
    });
  });
  const below = height - AIR.bottom + 2;
  svg.append(...(categories ? underBars(categories, x, below) : betweenBars(ticks, x, below)));
  svg.append(text(width - AIR.right, height - 4, xName, { "text-anchor": "end" }));
  return svg;
}

/** Every so many-th word, so that they do not touch. */
function stepOf(x) {
  return Math.max(1, Math.ceil(LEAST_APART / (x(1) - x(0))));
}

function underBars(categories, x, y) {
  const step = stepOf(x);
  return categories.map((word, k) => (k % step ? null : text(x(k + 0.5), y, word, { "text-anchor": "middle" }))).filter(Boolean);
}

function betweenBars(ticks, x, y) {
  const rough = stepOf(x);
  const step = [1, 2, 5, 10].find((one) => one >= rough) ?? rough;
  return ticks.map((word, k) => (k % step ? null : text(x(k), y, word, { "text-anchor": "middle" }))).filter(Boolean);
}

// ---------------------------------------------------------------- lying bars

/** rows: [{name, words, parts: [{className, value, words}]}]; all are on one scale. */
function rows({ rows: shown, label }, width) {
  const height = shown.length * (ROW.height + ROW.between);
  const svg = picture(width, height, label);
  const most = Math.max(...shown.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0)), 1);
  const long = scale(0, most, 0, width - 2);
  shown.forEach(({ name, words, parts }, n) => {
    const top = n * (ROW.height + ROW.between);
    svg.append(text(0, top + 16, name, { class: "plot__text plot__text--name" }));
    svg.append(text(width, top + 16, words, { "text-anchor": "end" }));
    let at = 1;
    for (const { className, value, words: told } of parts) {
      const length = Math.max(2, long(value));
      svg.append(bar({ class: className, x: at, width: length, y: top + 24, height: ROW.height }, told));
      at += length;
    }
    if (!parts.length) svg.append(element("line", { class: "plot__grid", x1: 0, x2: width, y1: top + 24 + ROW.height / 2, y2: top + 24 + ROW.height / 2 }));
  });
  return svg;
}
