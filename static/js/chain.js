// The admin's home: the loop with what is done and waiting at each station, what runs, what failed, what came of it.

import { ApiError, get, post, serverNow } from "./api.js";
import { drawLoop } from "./loop-line.js";
import { announce, byId, count, dataOf, notice } from "./page.js";
import { poll } from "./poll.js";
import { tellTime } from "./times.js";

const EVERY_MS = 2000;

const chain = byId("chain");
const { url, startUrl, againUrl } = chain.dataset;
let shown = dataOf("chain-now");

// --- what is shown

function show(now) {
  const before = shown;
  shown = now;
  byId("next").textContent = now.next;
  now.stations.forEach(showStation);
  showRunning(now);
  fill(byId("failures"), byId("a-failed-job"), now.jobs.failed, showFailure);
  byId("failed").hidden = !now.jobs.failed.length;
  fill(byId("results"), byId("a-done-job"), now.jobs.done, showResult);
  byId("no-results").hidden = now.jobs.done.length > 0;
  allow(now);
  draw();
  tellChanges(before, now);
}

function showStation(station) {
  const place = chain.querySelector(`[data-station="${station.name}"]`);
  const part = (name) => place.querySelector(`[data-${name}]`);
  part("done").textContent = station.done.toLocaleString("en");
  part("done-words").textContent = station.done_words;
  part("waiting").textContent = station.waiting.toLocaleString("en");
  part("waiting-words").textContent = station.waiting_words;
  part("waits").dataset.waits = station.waiting > 0;
  part("failed").hidden = station.failed === 0;
  part("failed-words").textContent = `${count(station.failed, "job")} failed`;
  const share = station.total ? (100 * station.done) / station.total : 0;
  place.querySelector(".station__share").setAttribute("stroke-dasharray", `${share} 200`);
  place.toggleAttribute("data-busy", station.running > 0);
}

function draw() {
  drawLoop(byId("line"), chain, shown.stations.map(({ running }) => running > 0));
}

function showRunning({ jobs }) {
  fill(byId("running"), byId("a-running-job"), jobs.running, (place, job) => {
    text(place, "title", job.title);
    text(place, "about", job.about);
    text(place, "message", job.message);
    showProgress(place.querySelector(".progress-curve"), Math.round(100 * job.progress), `${job.title}, ${job.about}`);
  });
  const waits = jobs.waiting ? `${count(jobs.waiting, "job")} ${jobs.waiting === 1 ? "waits" : "wait"} in line.` : "";
  byId("queue").textContent = jobs.running.length ? waits : waits || "Nothing runs. Start a step at its station.";
}

function showProgress(bar, percent, label) {
  bar.setAttribute("aria-label", label);
  bar.setAttribute("aria-valuenow", percent);
  bar.querySelector(".progress-curve__done").setAttribute("stroke-dasharray", `${percent} 200`);
  bar.querySelector("span").textContent = `${percent} %`;
}

function showFailure(place, job) {
  text(place, "title", job.title);
  link(place, job);
  text(place, "failure", job.failure);
  tellTime(place.querySelector("[data-when]"), job.finished_at ?? job.created_at, serverNow());
  place.querySelector("[data-again]").setAttribute("aria-label", `Start again: ${job.title}, ${job.about}`);
}

function showResult(place, job) {
  text(place, "title", job.title);
  // Most messages name what the job is about; it is not said twice.
  const named = job.message.includes(job.about.split(",")[0].replace(/^version /, ""));
  link(place, named ? { ...job, about: job.message } : job);
  text(place, "message", named ? "" : ` · ${job.message}`);
  tellTime(place.querySelector("[data-when]"), job.finished_at, serverNow());
}

function text(place, name, words) {
  place.querySelector(`[data-${name}]`).textContent = words;
}

function link(place, { about, url: page }) {
  const anchor = place.querySelector("[data-about]");
  anchor.textContent = about;
  if (page) anchor.href = page;
  else anchor.removeAttribute("href");
}

/** A list kept in step with rows: what stays is changed in place, so that focus and readers are not thrown off. */
function fill(list, template, rows, showRow) {
  const known = new Map([...list.children].map((place) => [place.dataset.id, place]));
  const places = rows.map((row) => {
    const place = known.get(row.id) ?? template.content.firstElementChild.cloneNode(true);
    place.dataset.id = row.id;
    showRow(place, row);
    return place;
  });
  if (places.some((place, k) => list.children[k] !== place) || list.children.length !== places.length) list.replaceChildren(...places);
}

/** Only what matters is said aloud: a job's end. */
function tellChanges(before, now) {
  const ran = new Map(before.jobs.running.map((job) => [job.id, job]));
  const said = [
    ...now.jobs.failed.filter(({ id }) => ran.has(id)).map((job) => `Failed: ${job.title}, ${job.about}. ${job.failure}`),
    ...now.jobs.done.filter(({ id }) => ran.has(id)).map((job) => `Done: ${job.title}, ${job.about}. ${job.message}`),
  ];
  if (said.length) announce(said.join(" "));
}

// --- starting steps

const STEPS = {
  train: { idle: () => "Train", busy: "Training", why: () => "" },
  mine: {
    idle: ({ songs_to_mine: songs }) => (songs ? `Mine ${count(songs, "song")}` : "Mine all"),
    busy: "Mining",
    why: ({ songs_to_mine: songs }) => (songs ? "" : "Needs a song with a ready cover."),
  },
};

/** What may be started now; what may not says why. */
function allow(now) {
  for (const [step, { idle, busy, why }] of Object.entries(STEPS)) {
    const button = chain.querySelector(`button[data-start="${step}"]`);
    const open = (now.open[step] ?? 0) > 0;
    const reason = why(now);
    button.setAttribute("aria-disabled", String(open || reason !== ""));
    button.title = reason;
    button.querySelector("[data-start-words]").textContent = open ? busy : idle(now);
  }
}

function wrong(place, sentence) {
  const error = place.querySelector("[data-error]");
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  if (sentence) announce(sentence, { urgent: true });
}

/** Calls the server for what stands at `place`; what goes wrong is said there. Whether it went well. */
async function ask(place, path, data) {
  wrong(place, "");
  try {
    await post(path, data);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    wrong(place, error.message);
    return false;
  }
  await look.now();
  return true;
}

async function start(button) {
  const step = button.dataset.start;
  const place = button.closest(".station");
  if (button.getAttribute("aria-disabled") === "true") {
    wrong(place, button.title);
    return;
  }
  if (await ask(place, startUrl, { step })) announce(`${STEPS[step].busy} is asked for.`);
}

async function exportRelease(form) {
  const input = form.elements.version;
  const version = input.value.trim();
  const done = await ask(form.closest(".station"), startUrl, { step: "release", version });
  input.toggleAttribute("aria-invalid", !done);
  if (!done) input.setAttribute("aria-invalid", "true");
  else {
    announce(`The draft of ${version} is asked for.`);
    input.value = "";
  }
}

chain.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-start]");
  if (button) start(button);
});

chain.addEventListener("submit", (event) => {
  event.preventDefault();
  exportRelease(event.target);
});

byId("failures").addEventListener("click", (event) => {
  const button = event.target.closest("[data-again]");
  if (!button) return;
  const place = button.closest("li");
  ask(place, againUrl.replace(/0{8}(-0{4}){3}-0{12}/, place.dataset.id));
});

// --- keeping up

async function ahead() {
  try {
    show(await get(url));
    byId("notices").replaceChildren();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    byId("notices").replaceChildren(notice("warning", error.message));
    return !error.signedOut;
  }
  return true;
}

const look = poll(ahead, EVERY_MS);
show(shown);
new ResizeObserver(draw).observe(chain);
