// Fragments as regions over a timeline: moved by their body, resized by their edges, with a pointer or with the arrow keys.

// Steps of the arrow keys, seconds: alone, and with Shift.
const STEP_S = 0.1;
const LARGE_STEP_S = 1;

// A pointer that moves less than this, px, has clicked.
const CLICK = 4;

// Keys pressed in a row are one move; it is sent after this pause.
const KEYS_PAUSE_MS = 700;

const SIGN = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };

/** Where an interval comes to lie when `part` of it ("body", "start", "end") is moved by so much, within all bounds. */
export function movedBy(part, { start_s, end_s }, by_s, { shortest_s, longest_s, duration_s }) {
  const within = (value, low, high) => Math.min(Math.max(value, low), high);
  if (part === "start") return { start_s: within(start_s + by_s, Math.max(0, end_s - longest_s), end_s - shortest_s), end_s };
  if (part === "end") return { start_s, end_s: within(end_s + by_s, start_s + shortest_s, Math.min(duration_s, start_s + longest_s)) };
  const by = within(by_s, -start_s, duration_s - end_s);
  return { start_s: start_s + by, end_s: end_s + by };
}

function slider(name, part) {
  const element = document.createElement("div");
  element.className = name;
  element.dataset.part = part;
  element.setAttribute("role", "slider");
  element.setAttribute("aria-valuemin", "0");
  return element;
}

export class Regions {
  /**
   * place: the element over the timeline's track. hooks: selected(fragment), seek(seconds), moving(fragment, bounds) while it
   * moves, moved(fragment, bounds) at its end, play(fragment), remove(fragment).
   */
  constructor(place, timeline, limits, hooks) {
    Object.assign(this, { place, timeline, limits, hooks });
    this.elements = new Map();
    this.chosen = null;
    this.held = null;
  }

  /** Shows these fragments, in order. */
  show(list) {
    this.list = list;
    for (const [fragment, element] of this.elements) {
      if (list.includes(fragment)) continue;
      element.remove();
      this.elements.delete(fragment);
    }
    list.forEach((fragment, k) => {
      if (!this.elements.has(fragment)) this.make(fragment);
      this.name(fragment, k + 1);
    });
    this.layOut();
  }

  make(fragment) {
    const element = document.createElement("div");
    element.className = "region";
    const body = slider("region__body", "body");
    body.tabIndex = 0;
    element.append(body, slider("region__edge region__edge--start", "start"), slider("region__edge region__edge--end", "end"));
    element.addEventListener("pointerdown", (event) => this.grab(event, fragment));
    element.addEventListener("keydown", (event) => this.key(event, fragment));
    element.addEventListener("focusin", () => this.choose(fragment));
    this.elements.set(fragment, element);
    this.place.append(element);
  }

  name(fragment, number) {
    const [body, start, end] = this.elements.get(fragment).children;
    body.textContent = number;
    body.setAttribute("aria-label", `Phrase ${number}, its place`);
    start.setAttribute("aria-label", `Phrase ${number}, its start`);
    end.setAttribute("aria-label", `Phrase ${number}, its end`);
  }

  /** Puts every region where its fragment is now. */
  layOut() {
    for (const [fragment, element] of this.elements) this.put(element, fragment);
  }

  put(element, { start_s, end_s }) {
    element.style.left = `${this.timeline.x(start_s)}px`;
    element.style.width = `${this.timeline.x(end_s - start_s)}px`;
    const [body, start, end] = element.children;
    this.tell(body, start_s, `${start_s.toFixed(2)} to ${end_s.toFixed(2)} seconds`);
    this.tell(start, start_s, `${start_s.toFixed(2)} seconds`);
    this.tell(end, end_s, `${end_s.toFixed(2)} seconds, ${(end_s - start_s).toFixed(2)} long`);
  }

  tell(part, value, words) {
    part.setAttribute("aria-valuemax", this.limits.duration_s.toFixed(2));
    part.setAttribute("aria-valuenow", value.toFixed(2));
    part.setAttribute("aria-valuetext", words);
  }

  /** Marks one fragment; its edges can be reached by the Tab key. */
  choose(fragment) {
    if (this.chosen === fragment) return;
    this.chosen = fragment;
    for (const [other, element] of this.elements) {
      element.toggleAttribute("data-chosen", other === fragment);
      element.querySelectorAll(".region__edge").forEach((edge) => { edge.tabIndex = other === fragment ? 0 : -1; });
    }
    this.hooks.selected(fragment);
  }

  focus(fragment) {
    this.elements.get(fragment)?.firstElementChild.focus({ preventScroll: true });
  }

  // --- pointers

  grab(event, fragment) {
    const { part } = event.target.dataset;
    // On a touch screen the body scrolls the timeline; its edges can be drawn.
    if (!part || event.button !== 0 || (part === "body" && event.pointerType === "touch")) {
      if (part) this.choose(fragment);
      return;
    }
    event.preventDefault();
    event.target.focus({ preventScroll: true });
    this.choose(fragment);
    const { target, pointerId, clientX } = event;
    target.setPointerCapture(pointerId);
    const from_s = this.timeline.secondAt(clientX);
    const hold = { fragment, part, from_s, from: { start_s: fragment.start_s, end_s: fragment.end_s }, at: clientX, now: null };
    const drag = (move) => this.drag(hold, move);
    const drop = (up) => {
      target.removeEventListener("pointermove", drag);
      target.removeEventListener("pointerup", drop);
      target.removeEventListener("pointercancel", drop);
      this.drop(hold, up);
    };
    target.addEventListener("pointermove", drag);
    target.addEventListener("pointerup", drop);
    target.addEventListener("pointercancel", drop);
  }

  drag(hold, event) {
    if (!hold.now && Math.abs(event.clientX - hold.at) < CLICK) return;
    hold.now = movedBy(hold.part, hold.from, this.timeline.secondAt(event.clientX) - hold.from_s, this.limits);
    this.preview(hold.fragment, hold.now);
  }

  drop(hold, event) {
    if (!hold.now) {
      if (event.type === "pointerup") this.hooks.seek(hold.from_s);
    } else if (event.type === "pointercancel") this.preview(hold.fragment, hold.from);
    else this.hooks.moved(hold.fragment, hold.now);
  }

  preview(fragment, bounds) {
    this.put(this.elements.get(fragment), bounds);
    this.hooks.moving(fragment, bounds);
  }

  // --- keys

  key(event, fragment) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") this.hooks.play(fragment);
    else if (event.key === "Delete" || event.key === "Backspace") this.hooks.remove(fragment);
    else if (SIGN[event.key]) this.step(fragment, event.target.dataset.part, SIGN[event.key] * (event.shiftKey ? LARGE_STEP_S : STEP_S));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  step(fragment, part, by_s) {
    if (this.held?.fragment !== fragment) this.settle();
    const from = this.held?.now ?? fragment;
    this.held ??= { fragment };
    this.held.now = movedBy(part, from, by_s, this.limits);
    this.preview(fragment, this.held.now);
    clearTimeout(this.pause);
    this.pause = setTimeout(() => this.settle(), KEYS_PAUSE_MS);
  }

  /** Sends what the keys have moved. */
  settle() {
    clearTimeout(this.pause);
    const { held } = this;
    this.held = null;
    if (held) this.hooks.moved(held.fragment, held.now);
  }
}
