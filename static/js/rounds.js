// Rounds of the loop: started, stopped and taken up again; their figures as lines over rounds.

import { ApiError, post } from "./api.js";
import { lookNow } from "./live.js";
import { announce } from "./page.js";
import { overRounds } from "./plots.js";

// ---------------------------------------------------------------- the lines

function drawAll() {
  document.querySelectorAll("[data-plot]").forEach((figure) => overRounds(figure, JSON.parse(figure.dataset.plot)));
}

// ---------------------------------------------------------------- acts

function wrong(place, sentence) {
  const error = place.querySelector("[data-error]");
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  if (sentence) announce(sentence, { urgent: true });
}

/** Calls the server; what goes wrong is said at `place`, else the page looks at once how it stands. */
async function act(place, path, data, said) {
  wrong(place, "");
  try {
    await post(path, data);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return wrong(place, error.message);
  }
  announce(said);
  const part = place.closest("[data-live]");
  document.activeElement?.blur();
  return lookNow(part);
}

/** What the form says, without what was left empty. */
function options(form) {
  const data = new FormData(form);
  const [material, initial, steps, why] = ["material", "initial", "steps", "why"].map((name) => data.get(name).trim());
  return {
    kinds: data.getAll("kinds"), material,
    ...(initial && { initial }), ...(steps && { steps: steps.replaceAll(/[\s,]/g, "") }), ...(why && { why }),
  };
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("#start-form");
  if (!form) return;
  event.preventDefault();
  const asked = options(form);
  if (!asked.kinds.length) {
    wrong(form, "Choose a network to train.");
    form.elements.kinds[0].focus();
    return;
  }
  act(form, form.dataset.url, asked, "The round begins.");
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (button) act(button.closest(".round"), button.dataset.act, {}, button.dataset.said);
});

document.addEventListener("chad:live", drawAll);
drawAll();
