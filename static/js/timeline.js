// A recording in time: its waveform, and under it, on the same axis, its melody. The track is as wide as the zoom asks
// for and scrolls; the canvas stays in view and draws only what is seen.

import { fitCanvas, tokens } from "./curve.js";
import { describe, gridNotes, noteName, scale, spanOf, strokes } from "./melody.js";
import { clock } from "./times.js";

// Pixels a second: the least that a narrow screen starts with, and the most that one may zoom in.
const LEAST_START = 16;
const MOST = 240;
const STEP = 1.6;

// Heights, px: the waveform's share of what the axis leaves, and the axis.
const WAVE_SHARE = 0.38;
const AXIS = 20;
const WAVE_STRENGTH = 0.45;

// Seconds between marks of the axis; the first that leaves room for its words is taken.
const MARKS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
const MARK_ROOM = 64;

export class Timeline {
  /** scroll: what scrolls; track: what is wide in it; canvas: what stays in view. moved() is called on every zoom. */
  constructor({ scroll, track, canvas }, duration_s, moved) {
    Object.assign(this, { scroll, track, canvas, duration_s, moved });
    this.peaks = [];
    this.curve = null;
    this.lines = [];
    this.pixels = 0;
    this.canvas.setAttribute("role", "img");
    this.observer = new ResizeObserver(() => this.resized());
    this.observer.observe(scroll);
    scroll.addEventListener("scroll", () => this.schedule(), { passive: true });
    scroll.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    document.addEventListener("chad:theme", () => this.schedule());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.schedule());
  }

  /** peaks: loudest samples of equal parts, 0..1; curve: the melody, or null. */
  show({ peaks = this.peaks, curve = this.curve }) {
    this.peaks = peaks;
    this.curve = curve;
    this.lines = curve ? strokes(curve) : [];
    this.canvas.setAttribute("aria-label", curve ? describe(curve, "The melody") : "The waveform. No melody yet.");
    this.schedule();
  }

  /** Pixels from the track's left edge to a second, and back. */
  x(seconds) {
    return seconds * this.pixels;
  }

  seconds(x) {
    return Math.min(this.duration_s, Math.max(0, x / this.pixels));
  }

  /** The second under a pointer. */
  secondAt(clientX) {
    return this.seconds(clientX - this.track.getBoundingClientRect().left);
  }

  get whole() {
    return this.scroll.clientWidth / this.duration_s;
  }

  resized() {
    if (!this.scroll.clientWidth) return;
    this.setPixels(this.pixels ? Math.max(this.pixels, this.whole) : Math.max(this.whole, LEAST_START));
  }

  setPixels(pixels) {
    this.pixels = Math.min(Math.max(pixels, this.whole), Math.max(MOST, this.whole));
    this.track.style.width = `${this.x(this.duration_s)}px`;
    this.canvas.style.width = `${this.scroll.clientWidth}px`;
    this.moved();
    this.schedule();
  }

  /** In (1) or out (-1) by a step, around a second that stays where it is on the screen. */
  zoom(direction, around_s = this.seconds(this.scroll.scrollLeft + this.scroll.clientWidth / 2)) {
    const place = this.x(around_s) - this.scroll.scrollLeft;
    this.setPixels(this.pixels * STEP ** direction);
    this.scroll.scrollLeft = this.x(around_s) - place;
  }

  fit() {
    this.setPixels(this.whole);
  }

  wheel(event) {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.zoom(event.deltaY < 0 ? 0.5 : -0.5, this.secondAt(event.clientX));
  }

  /** Scrolls so that an interval is seen, its beginning at least. */
  reveal(from_s, to_s = from_s) {
    const { scrollLeft, clientWidth } = this.scroll;
    const [left, right] = [this.x(from_s), this.x(to_s)];
    if (left >= scrollLeft && right <= scrollLeft + clientWidth) return;
    this.scroll.scrollLeft = left - Math.max(24, (clientWidth - (right - left)) / 2);
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => this.redraw());
  }

  redraw() {
    this.frame = null;
    if (!this.canvas.clientWidth || !this.pixels) return;
    const { pen, width, height } = fitCanvas(this.canvas);
    const from = this.seconds(this.scroll.scrollLeft);
    const to = this.seconds(this.scroll.scrollLeft + width);
    const seen = { from, to, x: scale(from, to, 0, this.x(to) - this.x(from)), width, colours: tokens(this.canvas) };
    const wave = (height - AXIS) * WAVE_SHARE;
    this.drawAxis(pen, seen, height);
    this.drawWave(pen, seen, wave);
    this.drawMelody(pen, seen, wave + 8, height - AXIS - 4);
  }

  drawAxis(pen, { from, to, x, colours }, height) {
    const step = MARKS_S.find((seconds) => seconds * this.pixels >= MARK_ROOM) ?? MARKS_S.at(-1);
    pen.font = "11px system-ui, sans-serif";
    pen.lineWidth = 1;
    pen.strokeStyle = colours.line;
    pen.fillStyle = colours.soft;
    for (let t = Math.floor(from / step) * step; t <= to; t += step) {
      const at = Math.round(x(t)) + 0.5;
      pen.beginPath();
      pen.moveTo(at, 0);
      pen.lineTo(at, height - AXIS + 5);
      pen.stroke();
      pen.fillText(clock(t, 0), at + 4, height - 6);
    }
  }

  drawWave(pen, { from, to, x, width, colours }, height) {
    const perSecond = this.peaks.length / this.duration_s;
    if (!perSecond) return;
    pen.fillStyle = colours.reference;
    pen.globalAlpha = WAVE_STRENGTH;
    const last = Math.min(Math.ceil(width), Math.ceil(x(to)));
    for (let pixel = 0; pixel < last; pixel += 2) {
      const first = Math.floor((from + pixel / this.pixels) * perSecond);
      const end = Math.max(first + 1, Math.ceil((from + (pixel + 2) / this.pixels) * perSecond));
      let peak = 0;
      for (let k = first; k < end && k < this.peaks.length; k += 1) peak = Math.max(peak, this.peaks[k]);
      const tall = Math.max(1, peak * (height - 6));
      pen.fillRect(pixel, (height - tall) / 2, 1.5, tall);
    }
    pen.globalAlpha = 1;
  }

  drawMelody(pen, { from, to, x, width, colours }, top, bottom) {
    if (!this.curve) return;
    const span = spanOf([this.curve]);
    const y = scale(span.low, span.high, bottom, top);
    pen.strokeStyle = colours.line;
    pen.fillStyle = colours.soft;
    pen.lineWidth = 1;
    for (const note of gridNotes(span, bottom - top, 26)) {
      pen.beginPath();
      pen.moveTo(0, y(note));
      pen.lineTo(width, y(note));
      pen.stroke();
      pen.fillText(noteName(note), 3, y(note) - 3);
    }
    pen.strokeStyle = colours.reference;
    pen.lineWidth = 3;
    pen.lineCap = "round";
    pen.lineJoin = "round";
    for (const points of this.lines) {
      if (points.at(-1)[0] < from || points[0][0] > to) continue;
      pen.beginPath();
      points.forEach(([t, pitch], k) => (k ? pen.lineTo(x(t), y(pitch)) : pen.moveTo(x(t), y(pitch))));
      pen.stroke();
    }
  }
}
