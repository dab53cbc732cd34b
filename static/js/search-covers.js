// The button that searches for covers of a song, wherever it stands.

import { ApiError, post } from "./api.js";
import { lookNow } from "./live.js";
import { announce } from "./page.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-search]");
  if (!button) return;
  const error = button.parentElement.querySelector("[data-error]");
  error.hidden = true;
  try {
    await post(button.dataset.search);
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    error.hidden = false;
    error.querySelector("span").textContent = problem.message;
    announce(problem.message, { urgent: true });
    return;
  }
  announce("The search is asked for.");
  const part = button.closest("[data-live]");
  button.blur();
  await lookNow(part);
});
