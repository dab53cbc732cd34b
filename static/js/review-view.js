// The pictures of the piece on the desk: two waveforms and two curves over one time axis, one line through all of them
// for now, and the hands on them: a click plays from there, dragging moves the version, dragging an end trims it.

import { CurveView } from "./curve.js";
import { describe } from "./melody.js";
import { byId } from "./page.js";
import { AROUND_S } from "./review-sound.js";
import { interval } from "./review-words.js";
import { drawWaveform, endAt, GRIP_REACH, timeScale } from "./waveform.js";

// A pointer that moved less is a click, pixels.
const CLICK = 4;

class TwoCurves extends CurveView {
  words() {
    const { reference, voice } = this.state;
    if (!reference || !voice) return "No melody yet.";
    return `${describe(reference, "The original")} ${describe(voice, "The version, in the original’s key")}`;
  }
}

export class Pictures {
  /** hands: {from(second), nudge(ms), moveEnd("start" or "end", seconds of the version's clock)}. */
  constructor(hands) {
    this.hands = hands;
    this.piece = null;
    this.waves = { reference: byId("wave-reference"), voice: byId("wave-voice") };
    this.curves = new TwoCurves(byId("curves"), { names: true, seconds: true });
    this.line = byId("now-line");
    this.bind();
  }

  /** Draws a piece, anew where it was moved or trimmed. */
  show(piece) {
    this.piece = piece;
    const { by, curve } = piece.overlaid();
    this.curves.set({ reference: piece.reference, voice: curve, ...this.span });
    byId("version-legend").textContent = `the ${piece.item.kind}, drawn in that key: it is ${interval(by)}`;
    this.drawWaves();
  }

  /** The fragment's seconds that all pictures show. */
  get span() {
    return { from_s: -AROUND_S, to_s: this.piece.duration_s + AROUND_S };
  }

  drawWaves() {
    const { piece, waves } = this;
    if (!piece) return;
    const { span } = this;
    drawWaveform(waves.reference, piece.peaks.reference, { colour: "reference", ...span });
    drawWaveform(waves.voice, piece.peaks.voice, {
      colour: "voice", ...span, offset_s: piece.offset_s, rate: piece.rate, ends: piece.ends,
      trimmed: [piece.trim.start_s > 0, piece.trim.end_s > 0],
    });
  }

  x(width) {
    return timeScale(this.span.from_s, this.span.to_s, width);
  }

  /** The line through all pictures; null: away. */
  now(second) {
    const isSeen = second !== null && this.piece !== null && second <= this.span.to_s;
    this.line.hidden = !isSeen;
    if (!isSeen) return;
    const pixel = this.x(this.waves.reference.clientWidth)(Math.max(second, this.span.from_s));
    this.line.style.transform = `translateX(${pixel.toFixed(1)}px)`;
  }

  // --- hands

  bind() {
    const redraw = () => this.drawWaves();
    new ResizeObserver(redraw).observe(this.waves.voice);
    document.addEventListener("chad:theme", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    for (const canvas of [this.waves.reference, byId("curves")]) {
      canvas.addEventListener("click", (event) => this.piece && this.hands.from(this.secondAt(event, canvas)));
    }
    this.bindDrag(this.waves.voice);
  }

  secondAt(event, canvas) {
    return this.x(canvas.clientWidth).back(event.clientX - canvas.getBoundingClientRect().left);
  }

  /** The end whose grip is under the pointer, the nearer of two; null: none. */
  endUnder(event, canvas) {
    const at = event.clientX - canvas.getBoundingClientRect().left;
    const x = this.x(canvas.clientWidth);
    const apart = this.piece.ends.now.map((second) => Math.abs(endAt(x, second, canvas.clientWidth) - at));
    if (Math.min(...apart) > GRIP_REACH) return null;
    return apart[0] <= apart[1] ? "start" : "end";
  }

  bindDrag(canvas) {
    let drag = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.piece || event.button !== 0) return;
      drag = { begun: event.clientX, last: event.clientX, end: this.endUnder(event, canvas), moved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.piece) return;
      if (drag) this.dragged(drag, event, canvas);
      else canvas.dataset.hand = this.endUnder(event, canvas) ? "end" : "wave";
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && !drag.moved && this.piece) this.hands.from(this.secondAt(event, canvas));
      drag = null;
    });
    canvas.addEventListener("pointercancel", () => { drag = null; });
  }

  dragged(drag, event, canvas) {
    if (!drag.moved && Math.abs(event.clientX - drag.begun) < CLICK) return;
    drag.moved = true;
    const x = this.x(canvas.clientWidth);
    const seconds = x.back(event.clientX) - x.back(drag.last);
    drag.last = event.clientX;
    if (drag.end) this.hands.moveEnd(drag.end, seconds * this.piece.rate);
    else this.hands.nudge(seconds * 1000);
  }
}
