// The loss of each training as a line.

import { median } from "./melody.js";
import "./live.js";
import "./start-again.js";

const [WIDTH, HEIGHT] = [240, 72];
// Points of the line; each is the median of its share of the steps, so that the noise of single steps does not hide it.
const POINTS = 60;

function smoothed(losses) {
  const share = Math.max(1, losses.length / POINTS);
  const count = Math.ceil(losses.length / share);
  return Array.from({ length: count }, (_, k) => median(losses.slice(Math.floor(k * share), Math.floor((k + 1) * share) || 1)));
}

function line(svg, name, d) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("class", name);
  path.setAttribute("d", d);
  svg.append(path);
}

function draw(figure) {
  const svg = figure.querySelector("svg");
  const values = smoothed(figure.dataset.losses.split(" ").map(Number)).filter((value) => value !== null);
  const most = Math.max(...values, 1e-9);
  const last = Math.max(1, values.length - 1);
  const points = values.map((value, k) => `${((k / last) * WIDTH).toFixed(1)} ${(HEIGHT - (value / most) * (HEIGHT - 4)).toFixed(1)}`);
  svg.replaceChildren();
  line(svg, "loss__floor", `M0 ${HEIGHT}H${WIDTH}`);
  line(svg, "loss__line", `M${points.join("L")}`);
}

function drawAll() {
  document.querySelectorAll("[data-losses]").forEach(draw);
}

document.addEventListener("chad:live", drawAll);
drawAll();
