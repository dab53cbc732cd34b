// The figures of the double-check, as pictures beside their tables.

import { byId, dataOf } from "./page.js";
import { lines, points } from "./plots.js";

const MARKS = [{ value: 0.8, words: "0.80 reliable" }, { value: 0.667, words: "0.67 tentative" }];

const two = (value) => value.toFixed(2);
const percent = (value) => `${Math.round(value * 100)} %`;

function drawWeeks(weeks) {
  const figure = byId("weeks-plot");
  const of = (name, words) => weeks.map((week) => ({ week: week.week, value: week[name], words: week[name] === null ? "" : words(week) }));
  const known = weeks.filter(({ alpha }) => alpha !== null);
  const drawn = lines(figure, {
    series: [
      { name: "pairs agree", className: "plot__line--second", values: of("agreement", (week) => `${percent(week.agreement)} of pairs agree`) },
      { name: "alpha", className: "plot__line--first", values: of("alpha", (week) => `alpha ${two(week.alpha)}, ${week.units} items`) },
    ],
    marks: MARKS,
    label: known.length ? `Alpha of the verdicts by week, from ${two(known[0].alpha)} in the week of ${known[0].week} to ${two(known.at(-1).alpha)} in that of ${known.at(-1).week}.` : "",
  });
  byId("weeks-caption").textContent = drawn ? "Alpha (solid) and the share of pairs that agree (broken), week by week" : "A line comes here when there are verdicts of two weeks.";
}

function drawPeople(people) {
  const figure = document.getElementById("people-plot");
  if (!figure) return;
  const drawn = points(figure, {
    points: people.map((one) => ({
      x: one.accepts_good, y: one.rejects_bad, name: one.name,
      words: `${two(one.accepts_good)} / ${two(one.rejects_bad)}, ${one.verdicts} verdicts`,
      className: one.standing === "set_aside" ? "plot__point--aside" : "",
    })),
    xName: "accepts good", yName: "rejects bad",
    label: "Reviewers by how surely they accept good items and reject bad ones. Arrow keys go from one to the next.",
  });
  if (drawn) return;
  byId("people-caption").className = "soft small";
  byId("people-caption").textContent = "A picture of the reviewers’ reliability comes here once it was measured.";
}

if (document.getElementById("weeks-plot")) {
  drawWeeks(dataOf("weeks"));
  drawPeople(dataOf("points"));
}
