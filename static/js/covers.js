// Bringing a list of covers in: what would come is shown first. Beside it, how long videos stay.

import { ApiError, call } from "./api.js";
import { announce, byId, count, dataOf } from "./page.js";
import { curves } from "./plots.js";
import "./live.js";
import "./search-covers.js";

// Rows of the plan that are drawn; the figures above it count them all.
const MOST_ROWS = 200;
const form = byId("list-form");
const plan = byId("list-plan");

const MANY = { original: "originals", cover: "covers", "second original": "second originals" };
const CAME = { original: ["original"], cover: ["cover"], search: ["search", "searches"] };

// What the shown plan is of: another file or choice needs another look.
let looked = null;

function wrong(error, sentence) {
  error.hidden = !sentence;
  error.querySelector("span").textContent = sentence;
  if (sentence) announce(sentence, { urgent: true });
}

function sent(dryRun) {
  const data = new FormData(form);
  data.set("dry_run", dryRun);
  for (const name of ["propose", "search"]) data.set(name, form.elements[name].checked);
  return data;
}

/** Sends the list; the answer, or null where it was refused, with the sentence beside `error`. */
async function send(dryRun, error) {
  wrong(error, "");
  const buttons = [byId("list-look"), byId("list-bring")];
  buttons.forEach((button) => { button.disabled = true; });
  try {
    return (await call("POST", form.dataset.url, sent(dryRun))).body;
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    wrong(error, problem.message.replace(/^\w+: /, ""));
    return null;
  } finally {
    buttons.forEach((button) => { button.disabled = false; });
  }
}

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function fact(words, number) {
  return element("div", "", element("dt", "", words), element("dd", "", number.toLocaleString("en")));
}

function cell(label, words, className = "") {
  const made = element("td", className, words);
  made.dataset.label = label;
  return made;
}

function songRow({ title, artist, song, is_new: isNew, originals, covers, others }) {
  const about = element("td", "", element("strong", "", title), element("span", "row-note", artist));
  const besides = Object.entries(others).map(([what, number]) => `${number} ${what}`).join(", ");
  return element("tr", "", about, cell("Known", song ? "yes" : isNew ? "new" : "left out"), cell("Originals", originals || "–", "num"), cell("Covers", covers || "–", "num"), cell("Besides", besides || "–"));
}

function show(told, title) {
  const { songs, recordings, table, problems, problems_in_all: problemsInAll, originals_guessed: guessed } = told;
  byId("plan-title").textContent = title;
  byId("plan-facts").replaceChildren(
    fact("new songs", songs.new), fact("songs known here", songs.known),
    ...Object.entries(recordings).map(([what, number]) => fact(MANY[what] ?? what, number)),
    fact("lines that cannot be used", problemsInAll),
  );
  const notes = [];
  if (songs.left_out) notes.push(`Left out, as the list names no video of them: ${count(songs.left_out, "song")}. Tick the search to have videos looked for.`);
  if (songs.alone) notes.push(`${count(songs.alone, "new song comes", "new songs come")} without a cover: nothing can be mined there.`);
  if (guessed) notes.push(`Of ${count(guessed, "song")} the list marks no original, or several: the earliest is taken, or the first.`);
  byId("plan-note").textContent = notes.join(" ");
  byId("plan-table").tBodies[0].replaceChildren(...table.slice(0, MOST_ROWS).map(songRow));
  byId("plan-more").hidden = table.length <= MOST_ROWS;
  byId("plan-more").textContent = `The first ${MOST_ROWS} of ${table.length} songs.`;
  byId("plan-problems").hidden = !problems.length;
  byId("plan-problems").querySelector("ul").replaceChildren(...problems.map(({ place, sentence }) => element("li", "", `${place}: ${sentence}`)));
  byId("problems-more").hidden = problemsInAll <= problems.length;
  byId("problems-more").querySelector("span").textContent = `The first ${problems.length} of ${problemsInAll.toLocaleString("en")}.`;
  plan.hidden = false;
  byId("plan-title").focus();
}

function comes({ recordings }) {
  return (recordings.original ?? 0) + (recordings.cover ?? 0) + (form.elements.search.checked ? recordings["without a video"] ?? 0 : 0);
}

form.addEventListener("submit", async (event) => {
  if (event.submitter?.name === "only_problems") return; // a download, which the browser sees to
  event.preventDefault();
  if (!form.elements.file.files.length) {
    wrong(byId("list-error"), "Choose a list.");
    form.elements.file.focus();
    return;
  }
  looked = await send(true, byId("list-error"));
  plan.hidden = true;
  if (!looked) return;
  byId("list-bring").hidden = comes(looked) === 0;
  wrong(byId("bring-error"), "");
  show(looked, comes(looked) ? "What would come" : Object.keys(looked.recordings).length ? "Nothing new would come" : "Nothing can be used");
});

form.addEventListener("input", () => {
  looked = null;
  plan.hidden = true;
});

byId("list-bring").addEventListener("click", async () => {
  if (!looked) return;
  const told = await send(false, byId("bring-error"));
  if (!told) return;
  const came = Object.entries(told.done).map(([what, number]) => count(number, ...CAME[what]));
  byId("list-bring").hidden = true;
  show(told, came.length ? `Brought in: ${came.join(", ")}` : "Nothing new came");
  announce(byId("plan-title").textContent);
});

const figure = document.getElementById("losses-plot");
if (figure) {
  const curve = dataOf("curve");
  const [months, share] = curve.at(-1);
  // A share falls at once where a video was lost, so each point but the first comes with the height before it.
  const steps = curve.flatMap(([age, value], k) => (k ? [[age, curve[k - 1][1]], [age, value]] : [[age, value]]));
  const label = `After ${months.toFixed(0)} months ${Math.round(share * 100)} % of the videos are still there.`;
  curves(figure, { panels: [{ name: "Share still there", className: "plot__line--first", points: steps, high: 1 }], xName: "months", label });
}
