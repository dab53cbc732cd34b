// Plots as SVG, drawn at the size of their figure: lines over weeks and over rounds, curves over steps, and points in a square.
// Colours are CSS classes, so that both themes agree. A plot is a picture beside a table with the same numbers; it never stands alone.

const SPACE = "http://www.w3.org/2000/svg";
const AIR = { left: 34, right: 96, top: 12, bottom: 26 };
// The hit area of a point, px.
const REACH = 12;
const DOT = 5;
const DAY_MS = 86_400_000;

export function element(name, attributes = {}, ...children) {
  const made = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function text(x, y, words, attributes = {}) {
  return element("text", { x, y, class: "plot__text", ...attributes }, words);
}

export const scale = (from, to, low, high) => (value) => low + ((value - from) / (to - from || 1)) * (high - low);

/** Draws now, and anew whenever the figure's width changes. draw(width) gives an SVG. */
export function keepDrawn(figure, draw) {
  let width = 0;
  const redraw = () => {
    const now = Math.floor(figure.clientWidth);
    if (!now || now === width) return;
    width = now;
    figure.querySelector("svg")?.remove();
    figure.prepend(draw(width));
  };
  new ResizeObserver(redraw).observe(figure);
  redraw();
}

export function pathOf(points) {
  return points.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

// ---------------------------------------------------------------- lines over weeks

function monthName(date) {
  const month = date.toLocaleDateString("en", { month: "short", timeZone: "UTC" });
  return date.getUTCMonth() ? month : `${month} ${date.getUTCFullYear()}`;
}

/** The first days of the months between two dates, far enough apart to be read. */
function months(from, to, x) {
  const found = [];
  const first = new Date(from);
  for (let k = 0; k < 60; k += 1) {
    const date = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + k, 1));
    if (date.getTime() > to) break;
    if (date.getTime() >= from && (!found.length || x(date.getTime()) - x(found.at(-1).getTime()) > 64)) found.push(date);
  }
  return found;
}

/** Labels at the ends of lines, pushed apart where they would overlap. */
function apart(ends, least = 16) {
  const sorted = [...ends].sort((a, b) => a.y - b.y);
  sorted.forEach((end, k) => { if (k && end.y - sorted[k - 1].y < least) end.y = sorted[k - 1].y + least; });
  return sorted;
}

/**
 * Lines over weeks. series: [{name, className, values: [{week: "2026-11-23", value, words}]}]; marks: [{value, words}],
 * broken lines with their meaning; label: what the picture shows, in words. Nothing is drawn of fewer than two weeks.
 */
export function lines(figure, { series, marks, label, height = 260 }) {
  const at = (week) => Date.parse(`${week}T00:00:00Z`);
  const shown = series.map((one) => ({ ...one, values: one.values.filter(({ value }) => value !== null) }));
  const weeks = shown.flatMap(({ values }) => values.map(({ week }) => at(week)));
  const [from, to] = [Math.min(...weeks), Math.max(...weeks)];
  if (!weeks.length || from === to) return false;
  const low = Math.min(0, ...shown.flatMap(({ values }) => values.map(({ value }) => value)));
  keepDrawn(figure, (width) => {
    const right = width < 480 ? 12 : AIR.right;
    const x = scale(from, to, AIR.left, width - right);
    const y = scale(low, 1, height - AIR.bottom, AIR.top);
    const svg = element("svg", { class: "plot__svg", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    for (const value of [...new Set([low < 0 ? Math.ceil(low * 2) / 2 : 0, 0, 0.5, 1])]) {
      svg.append(element("line", { class: "plot__grid", x1: AIR.left, x2: width - right, y1: y(value), y2: y(value) }));
      svg.append(text(AIR.left - 8, y(value) + 4, value.toFixed(1), { "text-anchor": "end" }));
    }
    const ends = [];
    for (const { value, words } of marks) {
      svg.append(element("line", { class: "plot__mark", x1: AIR.left, x2: width - right, y1: y(value), y2: y(value) }));
      ends.push({ y: y(value) + 4, name: words, className: "" });
    }
    for (const date of months(from - 7 * DAY_MS, to, x)) {
      const place = x(Math.max(from, date.getTime()));
      svg.append(text(place, height - 6, monthName(date), { "text-anchor": place > width - 40 ? "end" : "start" }));
    }
    for (const { name, className, values } of shown) {
      if (!values.length) continue;
      const points = values.map(({ week, value }) => [x(at(week)), y(value)]);
      svg.append(element("path", { class: `plot__line ${className}`, d: pathOf(points) }));
      ends.push({ y: points.at(-1)[1] + 4, name, className: "plot__text--name" });
    }
    if (right === AIR.right) for (const end of apart(ends)) svg.append(text(width - right + 8, end.y, end.name, { class: `plot__text ${end.className}` }));
    svg.append(...hover(shown, { x, y, at, width, height, right }));
    return svg;
  });
  return true;
}

/** The week under the pointer: a line, a dot on each series, and the numbers. */
function hover(series, { x, y, at, width, height, right, said = (week) => `Week from ${week}`, said_y = height - AIR.bottom - 56 }) {
  const weeks = [...new Set(series.flatMap(({ values }) => values.map(({ week }) => week)))].sort();
  const seen = element("g", { class: "plot__seen", visibility: "hidden" });
  const area = element("rect", { x: AIR.left, y: 0, width: width - AIR.left - right, height: height - AIR.bottom, fill: "transparent" });
  const point = (event) => {
    const place = event.clientX - area.ownerSVGElement.getBoundingClientRect().left;
    const week = weeks.reduce((best, one) => (Math.abs(x(at(one)) - place) < Math.abs(x(at(best)) - place) ? one : best));
    const values = series.map(({ values: all }) => all.find((one) => one.week === week)).filter(Boolean);
    const side = x(at(week)) > width / 2 ? "end" : "start";
    const place_x = x(at(week)) + (side === "end" ? -8 : 8);
    seen.replaceChildren(
      element("line", { class: "plot__now", x1: x(at(week)), x2: x(at(week)), y1: AIR.top, y2: height - AIR.bottom }),
      ...values.map(({ value }) => element("circle", { class: "plot__dot", cx: x(at(week)), cy: y(value), r: 4 })),
      ...[said(week), ...values.map(({ words }) => words)].map((words, k) => text(place_x, said_y + 17 * k, words, { "text-anchor": side, class: "plot__text plot__text--said" })),
    );
    seen.setAttribute("visibility", "visible");
  };
  area.addEventListener("pointermove", point);
  area.addEventListener("pointerdown", point);
  area.addEventListener("pointerleave", () => seen.setAttribute("visibility", "hidden"));
  return [seen, area];
}

// ---------------------------------------------------------------- lines over rounds

/**
 * Lines over numbered rounds. series: [{name, className, points: [[round, value, words]]}], which a legend beside the figure
 * names; high: the highest value that there can be, or null for the highest there is; label: what the picture shows, in words.
 */
export function overRounds(figure, { series, high, label, height = 220 }) {
  const shown = series.map(({ className, points: all }) => ({ className, values: all.map(([week, value, words]) => ({ week, value, words })) }));
  const values = shown.flatMap((one) => one.values);
  const rounds = values.map(({ week }) => week);
  const [from, to] = [Math.min(...rounds), Math.max(...rounds)];
  const top = high ?? Math.max(1, ...values.map(({ value }) => value));
  keepDrawn(figure, (width) => {
    const right = 12;
    const x = from === to ? () => (AIR.left + width - right) / 2 : scale(from, to, AIR.left + 12, width - right - 12);
    const y = scale(0, top, height - AIR.bottom, AIR.top);
    const svg = element("svg", { class: "plot__svg", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    for (const value of [0, top / 2, top]) {
      svg.append(element("line", { class: "plot__grid", x1: AIR.left, x2: width - right, y1: y(value), y2: y(value) }));
      svg.append(text(AIR.left - 8, y(value) + 4, high === null ? Math.round(value).toLocaleString("en") : value.toFixed(1), { "text-anchor": "end" }));
    }
    for (const round of [...new Set([...ticks(to, width < 480 ? 4 : 8), to])].filter((one) => one >= from)) svg.append(text(x(round), height - 6, `round ${round}`, { "text-anchor": "middle" }));
    for (const { className, values: all } of shown) {
      const places = all.map(({ week, value }) => [x(week), y(value)]);
      svg.append(element("path", { class: `plot__line ${className}`, d: pathOf(places) }));
      svg.append(...places.map(([cx, cy]) => element("circle", { class: "plot__dot", cx, cy, r: 3.5 })));
    }
    svg.append(...hover(shown, { x, y, at: Number, width, height, right, said: (round) => `Round ${round}`, said_y: AIR.top + 14 }));
    return svg;
  });
}

// ---------------------------------------------------------------- curves over steps

const PANEL = { height: 116, between: 30 };

/** Even numbers up to `most`, about so many of them: 0, 500, 1,000. */
function ticks(most, about) {
  const rough = most / about;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough));
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, k) => k * step);
}

const nearest = (points, step) => points.reduce((best, one) => (Math.abs(one[0] - step) < Math.abs(best[0] - step) ? one : best));

/**
 * Curves over the same steps, one above the other. panels: [{name, className, points: [[step, value]], high}], values from
 * 0 to high, or to the highest where that is null; xName: what the steps are; label: what the picture shows.
 */
export function curves(figure, { panels, xName, label }) {
  const last = Math.max(...panels.flatMap(({ points: all }) => all.map(([step]) => step)));
  keepDrawn(figure, (width) => {
    const height = panels.length * (PANEL.height + PANEL.between) + 8;
    const right = 12;
    const x = scale(0, last, AIR.left, width - right);
    const svg = element("svg", { class: "plot__svg", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    const shown = panels.map((panel, k) => {
      const top = k * (PANEL.height + PANEL.between) + PANEL.between - 8;
      const high = panel.high ?? Math.max(...panel.points.map(([, value]) => value), 1e-9);
      return { ...panel, top, high, y: scale(0, high, top + PANEL.height, top) };
    });
    for (const { name, className, points: all, top, high, y } of shown) {
      for (const value of [0, high / 2, high]) {
        svg.append(element("line", { class: "plot__grid", x1: AIR.left, x2: width - right, y1: y(value), y2: y(value) }));
        svg.append(text(AIR.left - 8, y(value) + 4, value.toFixed(1), { "text-anchor": "end" }));
      }
      svg.append(element("path", { class: `plot__line ${className}`, d: pathOf(all.map(([step, value]) => [x(step), y(value)])) }));
      if (all.length === 1) svg.append(element("circle", { class: "plot__dot", cx: x(all[0][0]), cy: y(all[0][1]), r: 4 }));
      svg.append(text(AIR.left, top - 8, name, { class: "plot__text plot__text--name" }));
    }
    for (const step of ticks(last, width < 480 ? 3 : 6)) {
      const end = step === last || x(step) > width - 40;
      svg.append(text(x(step), height - 4, step ? step.toLocaleString("en") : xName, { "text-anchor": step ? (end ? "end" : "middle") : "start" }));
    }
    svg.append(...underPointer(shown, { x, width, height, right, last, xName }));
    return svg;
  });
}

/** The step under the pointer: a line, and on each curve a dot with its value. */
function underPointer(panels, { x, width, height, right, last, xName }) {
  const seen = element("g", { visibility: "hidden" });
  const area = element("rect", { x: AIR.left, y: 0, width: Math.max(0, width - AIR.left - right), height, fill: "transparent" });
  area.addEventListener("pointermove", (event) => {
    const place = event.clientX - area.ownerSVGElement.getBoundingClientRect().left;
    const under = ((place - AIR.left) / (width - right - AIR.left)) * last;
    seen.replaceChildren(...panels.flatMap(({ points: all, top, y }) => {
      const [step, value] = nearest(all, under);
      const side = x(step) > width / 2 ? "end" : "start";
      return [
        element("line", { class: "plot__now", x1: x(step), x2: x(step), y1: top, y2: top + PANEL.height }),
        element("circle", { class: "plot__dot", cx: x(step), cy: y(value), r: 4 }),
        text(x(step) + (side === "end" ? -8 : 8), top + 14, `${value.toFixed(2)} · ${xName} ${step.toLocaleString("en")}`, { "text-anchor": side, class: "plot__text plot__text--said" }),
      ];
    }));
    seen.setAttribute("visibility", "visible");
  });
  area.addEventListener("pointerleave", () => seen.setAttribute("visibility", "hidden"));
  return [seen, area];
}

// ---------------------------------------------------------------- points in a square

/**
 * Points in the unit square. points: [{x, y, name, words, className}]; x and y are 0 to 1. One of them has the focus;
 * the arrow keys go from one to the next, from left to right. label: what the picture shows.
 */
export function points(figure, { points: all, xName, yName, label, most = 340 }) {
  if (!all.length) return false;
  const sorted = [...all].sort((a, b) => a.x - b.x || a.y - b.y);
  keepDrawn(figure, (wide) => {
    const size = Math.min(wide, most);
    const [x, y] = [scale(0, 1, 34, size - 10), scale(0, 1, size - 40, 10)];
    const svg = element("svg", { class: "plot__svg", width: size, height: size, viewBox: `0 0 ${size} ${size}`, role: "group", "aria-label": label });
    for (const value of [0, 0.5, 1]) {
      svg.append(element("line", { class: "plot__grid", x1: x(0), x2: x(1), y1: y(value), y2: y(value) }));
      svg.append(element("line", { class: "plot__grid", x1: x(value), x2: x(value), y1: y(0), y2: y(1) }));
      svg.append(text(x(0) - 8, y(value) + 4, value.toFixed(1), { "text-anchor": "end" }));
      svg.append(text(x(value), y(0) + 17, value.toFixed(1), { "text-anchor": "middle" }));
    }
    svg.append(element("line", { class: "plot__mark", x1: x(0), y1: y(1), x2: x(1), y2: y(0) }));
    svg.append(text(x(0.5), size - 4, xName, { "text-anchor": "middle" }));
    svg.append(text(x(0) + 6, y(1) + 14, yName));
    const said = element("text", { class: "plot__text plot__text--said", visibility: "hidden" });
    const dots = sorted.map((one, k) => dot(one, k, { x, y, size, said }));
    svg.append(...dots, said);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      const now = dots.indexOf(document.activeElement);
      if (!step || now < 0) return;
      event.preventDefault();
      const next = dots[(now + step + dots.length) % dots.length];
      dots[now].setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
    return svg;
  });
  return true;
}

function dot({ x: right, y: up, name, words, className = "" }, k, { x, y, size, said }) {
  const [cx, cy] = [x(right), y(up)];
  const group = element("g", { class: `plot__point ${className}`, tabindex: k ? "-1" : "0", role: "img", "aria-label": `${name}: ${words}` });
  group.append(element("circle", { cx, cy, r: REACH, fill: "transparent" }), element("circle", { class: "plot__dot", cx, cy, r: DOT }));
  const show = () => {
    const side = cx > size / 2 ? "end" : "start";
    said.setAttribute("x", cx + (side === "end" ? -10 : 10));
    said.setAttribute("y", cy < 40 ? cy + 22 : cy - 10);
    said.setAttribute("text-anchor", side);
    said.textContent = `${name}, ${words}`;
    said.setAttribute("visibility", "visible");
  };
  const hide = () => said.setAttribute("visibility", "hidden");
  group.addEventListener("pointerenter", show);
  group.addEventListener("focus", show);
  group.addEventListener("pointerleave", hide);
  group.addEventListener("blur", hide);
  return group;
}
