// Buttons that ask the server for a piece of work, wherever they stand: data-NAME is the address that is called.

import { ApiError, post } from "./api.js";
import { lookNow } from "./live.js";
import { announce } from "./page.js";

/** Makes every button with data-NAME ask at its press; `said` is announced when it is asked for. */
export function askBy(name, said) {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(`button[data-${name}]`);
    if (!button) return;
    const error = button.parentElement.querySelector("[data-error]");
    error.hidden = true;
    try {
      await post(button.dataset[name]);
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      error.hidden = false;
      error.querySelector("span").textContent = problem.message;
      announce(problem.message, { urgent: true });
      return;
    }
    announce(said);
    const part = button.closest("[data-live]");
    button.blur();
    await lookNow(part);
  });
}
