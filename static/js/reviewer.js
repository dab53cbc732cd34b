// One reviewer's standing, changed by an admin with a reason.

import { ApiError, post } from "./api.js";
import { announce, byId } from "./page.js";

const form = byId("standing");

function wrong(sentence) {
  const error = byId("standing-error");
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  form.elements.why.setAttribute("aria-invalid", String(Boolean(sentence)));
  if (!sentence) return;
  announce(sentence, { urgent: true });
  form.elements.why.focus();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const why = form.elements.why.value.trim();
  if (!why) return wrong("Please say why: the reason stays in the history.");
  try {
    const chosen = { state: event.submitter.value, why };
    if (form.elements.put_back) chosen.put_back = form.elements.put_back.value;
    await post(form.dataset.address, chosen);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return wrong(error.message);
  }
  return location.reload();
});
