// The collection's growth as a curve: hums at the end of each day, from the left edge of the page to today; then,
// dashed and in the voice's colour, what is still to be hummed.

import { byId, dataOf } from "./page.js";
import { smoothPath } from "./smooth.js";

const WIDTH = 1000;
const HEIGHT = 200;

// Today stands here, as a share of the width: beyond it is the part that waits for a voice.
const TODAY = 0.72;

// With nothing yet, the melody of the logo.
const NO_HUMS = [[0, 0.3], [0.2, 0.62], [0.42, 0.36], [0.72, 0.7]];
const AHEAD = [[0, 0], [0.1, 0.1], [0.2, 0.05], [0.32, 0.18]];

const DAY_MS = 86_400_000;

function shares(growth) {
  const first = Date.parse(growth[0].date) - DAY_MS;
  const last = Math.max(Date.now(), Date.parse(growth.at(-1).date));
  const most = growth.at(-1).takes;
  const points = growth.map(({ date, takes }) => [(TODAY * (Date.parse(date) - first)) / (last - first), 0.08 + (0.7 * takes) / most]);
  return [[0, 0.08], ...points, [TODAY, points.at(-1)[1]]];
}

/** A smooth line through the points. */
function path(points) {
  return smoothPath(points.map(([x, y]) => [x * WIDTH, (1 - y) * HEIGHT]));
}

function draw(svg, points, name) {
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path(points));
  line.setAttribute("class", name);
  svg.append(line);
}

const svg = byId("growth-curve");
const growth = dataOf("growth") ?? [];
const grown = growth.length ? shares(growth) : NO_HUMS;
const [lastX, lastY] = grown.at(-1);
svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
draw(svg, grown, "home__grown");
draw(svg, AHEAD.map(([x, y]) => [lastX + x, Math.min(0.98, lastY + y)]), "home__ahead");
