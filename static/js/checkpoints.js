// The learning curve of each training: its loss, and how often validation hums found their song.

import { ApiError, call, post } from "./api.js";
import { lookNow } from "./live.js";
import { announce } from "./page.js";
import { curves } from "./plots.js";
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

// --- an admin promotes or refuses a checkpoint by hand, or takes that back

function wrong(form, sentence) {
  const error = form.querySelector("[data-error]");
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  form.elements.why.setAttribute("aria-invalid", String(Boolean(sentence)));
  if (!sentence) return;
  announce(sentence, { urgent: true });
  form.elements.why.focus();
}

async function decide(form, act, said) {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return wrong(form, error.message);
  }
  announce(said);
  const part = form.closest("[data-live]");
  document.activeElement?.blur();
  return lookNow(part);
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-standing]");
  if (!form) return;
  event.preventDefault();
  const why = form.elements.why.value.trim();
  if (!why) {
    wrong(form, "Please say why: the reason stays with the checkpoint.");
    return;
  }
  const standing = event.submitter.value;
  decide(form, () => post(form.dataset.standing, { standing, why }), standing === "promoted" ? "Promoted." : "Refused.");
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-undo]");
  if (!button) return;
  const form = button.closest("form");
  decide(form, () => call("DELETE", form.dataset.standing), "Undone.");
});

document.addEventListener("chad:live", drawAll);
drawAll();
