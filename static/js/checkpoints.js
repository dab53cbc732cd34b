// The learning curve of each training: its loss, and how often validation hums found their song.

import { curves } from "./plots.js";
import "./live.js";
import "./start-again.js";

function draw(figure) {
  const { losses, hit_rates: hits } = JSON.parse(figure.dataset.curve);
  const panels = [{ name: "Loss", className: "plot__line--first", points: losses, high: null }];
  if (hits.length) panels.push({ name: "Hits at first place", className: "plot__line--first", points: hits, high: 1 });
  curves(figure, { panels, xName: "step", label: figure.dataset.label });
}

function drawAll() {
  document.querySelectorAll("[data-curve]").forEach(draw);
}

document.addEventListener("chad:live", drawAll);
drawAll();
