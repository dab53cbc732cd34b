// The pages of releases: growth from release to release, plots, phrases to hear and see, and commands to copy.

import { ApiError } from "./api.js";
import { drawBars } from "./bars.js";
import { CurveView } from "./curve.js";
import { endOf, inFragmentTime, overlay } from "./melody.js";
import { announce, byId, dataOf, notice } from "./page.js";
import { Duet, soundAt } from "./player.js";
import { element, keepDrawn, scale, text } from "./plots.js";
import { curveAt, number } from "./release-curve.js";
import { smoothPath } from "./smooth.js";
import { gettext } from "./words.js";

// As on the humming page: the line, not its vibrato. Seconds.
const SMOOTH_S = 0.12;

// ---------------------------------------------------------------- growth

const GROWTH_HEIGHT = 168;
// Versions under the curve are no closer than this, px.
const LEAST_APART = 72;

/** From nothing at the left edge to the latest release, each release a dot with its name. */
function drawGrowth(figure, growth) {
  keepDrawn(figure, (width) => {
    const most = Math.max(...growth.map(({ versions }) => versions), 1);
    const x = scale(0, growth.length, 8, width - 40);
    const y = scale(0, most, GROWTH_HEIGHT - 34, 12);
    const at = [[x(0), y(0)], ...growth.map(({ versions }, k) => [x(k + 1), y(versions)])];
    const svg = element("svg", { width, height: GROWTH_HEIGHT, viewBox: `0 0 ${width} ${GROWTH_HEIGHT}`, "aria-hidden": "true", focusable: "false" });
    svg.append(element("path", { class: "history__grown", d: smoothPath(at) }));
    const step = Math.ceil(LEAST_APART / (x(1) - x(0)));
    growth.forEach(({ version }, k) => {
      const [cx, cy] = at[k + 1];
      svg.append(element("circle", { class: "history__dot", cx, cy, r: 5 }));
      if ((growth.length - 1 - k) % step === 0) svg.append(text(cx, GROWTH_HEIGHT - 8, version.slice(0, 12), { class: "history__text", "text-anchor": "middle" }));
    });
    return svg;
  });
}

// ---------------------------------------------------------------- phrases to hear

const duet = document.querySelector("[data-play]") && new Duet(new AudioContext());
let pressed = null;

function trouble(error) {
  if (!(error instanceof ApiError)) throw error;
  byId("notices").replaceChildren(notice("bad", error.message));
  announce(error.message, { urgent: true });
}

function quiet() {
  pressed?.setAttribute("aria-pressed", "false");
  pressed = null;
}

/** Plays what the button stands for, and shows its curve over the original's; the same again ends it. */
async function play(button) {
  const again = pressed === button;
  duet.stop();
  quiet();
  if (again) return;
  pressed = button;
  button.setAttribute("aria-pressed", "true");
  const which = button.dataset.play === "original" ? "reference" : "voice";
  pictures.get(button.closest(".example")).show(button).catch(trouble);
  try {
    const sound = await soundAt(duet.context, button.dataset.audio);
    if (pressed !== button) return;
    duet.load(which, sound);
    await duet.play(which, { ended: () => pressed === button && quiet() });
  } catch (error) {
    quiet();
    trouble(error);
  }
}

/** The picture of a phrase: its original's curve, and over it the version that was chosen last. */
class Picture {
  constructor(example) {
    this.view = new CurveView(example.querySelector("canvas"), { smooth_s: SMOOTH_S, voice: gettext("The hum or cover, in the original’s key") });
    const [original, ...others] = example.querySelectorAll("[data-play]");
    this.original = original.dataset.play === "original" && original.dataset.curve ? original : null;
    this.first = others.find((button) => button.dataset.curve) ?? null;
    this.chosen = null;
  }

  async start() {
    if (this.original) this.reference = await curveAt(this.original.dataset.curve);
    if (this.reference) this.view.set({ reference: this.reference, from_s: 0, to_s: endOf(this.reference) });
    if (this.first && !this.chosen) await this.show(this.first);
  }

  async show(button) {
    this.chosen = button;
    if (button === this.original || !button.dataset.curve) return;
    const { offset, tempo, transposition } = button.dataset;
    const curve = await curveAt(button.dataset.curve);
    if (this.chosen !== button) return;
    const aligned = inFragmentTime(curve, { offset_s: number(offset) ?? 0, tempo_ratio: number(tempo) ?? 1 });
    this.view.set({ voice: this.reference ? overlay(this.reference, aligned, number(transposition)).curve : aligned });
  }
}

const pictures = new Map([...document.querySelectorAll(".example")].map((example) => [example, new Picture(example)]));

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    // Without its picture a phrase can still be heard.
    pictures.get(target).start().catch((error) => { if (!(error instanceof ApiError)) throw error; });
  }
}, { rootMargin: "200px" });
pictures.forEach((_, example) => seen.observe(example));

// ---------------------------------------------------------------- copying

async function copy(button) {
  const code = button.closest(".snippet").querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    announce(gettext("Copied."));
    button.lastChild.textContent = gettext("Copied");
  } catch (error) {
    // Not allowed here: then it is marked, to be copied by hand.
    if (error.name !== "NotAllowedError") throw error;
    getSelection().selectAllChildren(code);
    announce(gettext("It is marked. Copy it with your keyboard."));
  }
}

if (navigator.clipboard) document.querySelectorAll("[data-copy]").forEach((button) => { button.hidden = false; });

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.matches("[data-play]")) play(button);
  if (button?.matches("[data-copy]")) copy(button);
});

// ---------------------------------------------------------------- pictures

const growth = dataOf("growth");
if (growth) drawGrowth(byId("growth-curve"), growth);
document.querySelectorAll("figure[data-plot]").forEach(drawBars);
