// Bringing a recording in: one source at a time, progress while it goes up, errors at their fields, nothing typed is lost.

import { ApiError } from "./api.js";
import { announce, byId, icon, notice } from "./page.js";
import { upload } from "./upload.js";

const form = byId("import");
const largest = Number(form.dataset.largest);
const bar = byId("upload");
let sending = null;

// --- what is asked for

function showSource() {
  const source = form.elements.source.value;
  form.querySelectorAll("[data-for]").forEach((part) => { part.hidden = part.dataset.for !== source; });
}

/** A cover has its song's title. */
function showTitle() {
  byId("title-field").hidden = form.elements.cover_of.value !== "";
}

/** A title and an artist as the file's name has them, where nothing is typed yet. */
function guessNames() {
  const file = form.elements.file.files[0];
  if (!file) return;
  const name = file.name.replace(/\.[^.]+$/, "").replaceAll("_", " ").trim();
  const [artist, title] = name.includes(" - ") ? name.split(" - ", 2) : ["", name];
  if (!form.elements.title.value) form.elements.title.value = title;
  if (!form.elements.artist.value) form.elements.artist.value = artist;
}

// --- errors

function clearErrors() {
  byId("trouble").replaceChildren();
  byId("form-errors").replaceChildren();
  form.querySelectorAll(".field__error").forEach((error) => error.remove());
  form.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
}

function showError(name, sentence) {
  const input = form.elements[name];
  const error = document.createElement("p");
  error.className = "field__error";
  error.id = `id_${name}_error`;
  error.append(icon("circle-alert"), sentence);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", [error.id, input.dataset.help].filter(Boolean).join(" "));
  form.querySelector(`[data-field="${name}"] .field, [data-field="${name}"].field, [data-field="${name}"]`).append(error);
}

/** errors: {field: [sentences]}, "" for the form as a whole. */
function showErrors(errors) {
  clearErrors();
  const { "": whole = [], ...fields } = errors;
  byId("trouble").replaceChildren(...whole.map((sentence) => notice("bad", sentence)));
  for (const [name, sentences] of Object.entries(fields)) showError(name, sentences.join(" "));
  announce([...whole, ...Object.values(fields).flat()].join(" "), { urgent: true });
  const first = form.querySelector('[aria-invalid="true"]');
  if (first) first.focus();
}

/** What can be told without the server. */
function wrongHere() {
  const file = form.elements.file.files[0];
  if (form.elements.source.value !== "file" || !file) return null;
  if (file.size > largest) return { file: [`The file has ${megabytes(file.size)} MB; at most ${megabytes(largest)} MB are taken. Cut it, or store it as FLAC.`] };
  if (file.size === 0) return { file: ["The file is empty. Choose a file with sound in it."] };
  return null;
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

// --- sending

function showProgress(share, bytes, all) {
  const percent = Math.round(100 * share);
  const curve = bar.querySelector(".progress-curve");
  curve.setAttribute("aria-valuenow", percent);
  curve.querySelector(".progress-curve__done").setAttribute("stroke-dasharray", `${percent} 200`);
  curve.querySelector("span").textContent = `${percent} %`;
  byId("upload-words").textContent = share < 1 ? `${megabytes(bytes)} of ${megabytes(all)} MB` : "It is up. The server checks and keeps it.";
}

function showSending(yes) {
  bar.hidden = !yes;
  byId("cancel").hidden = !yes;
  form.querySelector("[type=submit]").disabled = yes;
}

async function send() {
  const data = new FormData(form);
  // What is not chosen is not sent.
  data.delete(form.elements.source.value === "file" ? "youtube" : "file");
  sending = upload(location.pathname, data, showProgress);
  showSending(true);
  try {
    const answer = await sending.answer;
    if (!answer) return announce("The upload was stopped.");
    if (answer.status === 201) return location.assign(answer.body.url);
    return showErrors(answer.body.errors);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return showErrors({ "": [error.message] });
  } finally {
    sending = null;
    showSending(false);
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (sending) return;
  const wrong = wrongHere();
  if (wrong) showErrors(wrong);
  else {
    clearErrors();
    send();
  }
});

addEventListener("beforeunload", (event) => {
  if (sending) event.preventDefault();
});

form.querySelectorAll("[aria-describedby]").forEach((input) => { input.dataset.help = input.getAttribute("aria-describedby"); });
form.elements.source.forEach((choice) => choice.addEventListener("change", showSource));
form.elements.cover_of.addEventListener("change", showTitle);
form.elements.file.addEventListener("change", guessNames);
byId("cancel").addEventListener("click", () => sending?.stop());
showSource();
showTitle();
