// Making a draft of a release, and exporting a published one again. What runs is shown by live.js.

import { ApiError, post } from "./api.js";
import { lookNow } from "./live.js";
import { announce, byId } from "./page.js";
import "./start-again.js";

// Only the list has it; the page of one release has not.
const form = document.getElementById("new-release");

function wrong(error, sentence) {
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  if (sentence) announce(sentence, { urgent: true });
}

/** Asks for an export; whether it was taken. */
async function exportVersion(version, error, url, again = false) {
  wrong(error, "");
  try {
    await post(url, { step: "release", version, again });
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    wrong(error, problem.message);
    return false;
  }
  announce(`Version ${version} is asked for.`);
  await lookNow(document.querySelector('[data-live="releases"], [data-live="job"]'));
  return true;
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const input = form.elements.version;
  const taken = await exportVersion(input.value.trim(), form.querySelector("[data-error]"), form.dataset.url);
  if (taken) {
    input.value = "";
    input.removeAttribute("aria-invalid");
  } else {
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
});

// Words that are typed and not kept yet outlive the part of the page that they stand in. Where others were kept meanwhile,
// the form stays that of the draft before: the server then shows both.
let typed = null;

document.addEventListener("input", ({ target }) => {
  if (target.name !== "notes") return;
  typed = { words: target.value, kept: target.defaultValue, snapshot: target.form.elements.snapshot?.value };
});

document.addEventListener("chad:live", ({ target }) => {
  const field = target.querySelector('textarea[name="notes"]');
  if (!field || !typed) return;
  field.value = typed.words;
  if (field.defaultValue !== typed.kept && typed.snapshot) field.form.elements.snapshot.value = typed.snapshot;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-export]");
  if (!button) return;
  const error = button.parentElement.querySelector("[data-error]");
  button.blur();
  exportVersion(button.dataset.export, error, button.dataset.url, true);
});
