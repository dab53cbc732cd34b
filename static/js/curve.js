// The motif: one or two melody curves on a canvas. The reference is indigo, solid and heavy; the voice coral, lighter
// and dashed. Colours come from the page's tokens, so both themes and every page agree.
//
//   const view = new CurveView(canvas);
//   view.set({ reference, voice, now_s: 1.2, from_s: 0, to_s: 6 });

import { describe, endOf, gridNotes, noteName, scale, smoothed, spanOf, strokes } from "./melody.js";
import { gettext } from "./words.js";

const AHEAD_WIDTH = 3;
const SUNG_WIDTH = 5;
const VOICE_WIDTH = 2.5;
const VOICE_DASH = [6, 5];

// On a narrow screen a long phrase scrolls rather than being squeezed below this many pixels a second.
const LEAST_PIXELS_PER_SECOND = 42;

// Where the now-line stands while the picture scrolls, as a share of the width.
const NOW_AT = 0.38;

const live = new Set();

function repaint() {
  live.forEach((view) => view.redraw());
}

document.addEventListener("chad:theme", repaint);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

/** The page's colours as they are now. */
export function tokens(element = document.documentElement) {
  const style = getComputedStyle(element);
  const token = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    paper: token("paper"), ink: token("ink"), soft: token("soft"), line: token("line"), edge: token("edge"),
    reference: token("reference"), voice: token("voice"),
  };
}

/** A canvas fitted to its box at the screen's own resolution; the context is scaled to CSS pixels. */
export function fitCanvas(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

function line(pen, points, x, y) {
  pen.beginPath();
  points.forEach(([t, pitch], k) => (k ? pen.lineTo(x(t), y(pitch)) : pen.moveTo(x(t), y(pitch))));
  if (points.length === 1) pen.lineTo(x(points[0][0]) + 0.5, y(points[0][1]));
  pen.stroke();
}

export class CurveView {
  /**
   * options: names (note names at the grid lines), seconds (a time axis), label (words before the description), voice (what the second line is called),
   * smooth_s (a running median of so many seconds, for people who sing rather than measure).
   */
  constructor(canvas, options = {}) {
    this.canvas = canvas;
    this.options = options;
    this.state = { reference: null, voice: null, now_s: null, from_s: null, to_s: null };
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", this.words());
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(canvas);
    live.add(this);
  }

  /** Changes what is shown. reference, voice: curves or null; now_s: the now-line; from_s, to_s: a fixed window. */
  set(changes) {
    const told = "reference" in changes || "voice" in changes;
    Object.assign(this.state, changes);
    // While the now-line runs the words would change fifty times a second; they wait for its end.
    if (told && this.state.now_s === null) this.canvas.setAttribute("aria-label", this.words());
    this.schedule();
  }

  words() {
    const { reference, voice } = this.state;
    const parts = [this.options.label];
    if (reference) parts.push(describe(reference, gettext("The melody")));
    if (voice) parts.push(describe(voice, this.options.voice ?? gettext("Your voice, in the melody’s key")));
    return parts.filter(Boolean).join(" ") || gettext("No melody yet.");
  }

  smooth(curve) {
    return this.options.smooth_s ? smoothed(curve, this.options.smooth_s) : curve;
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => this.redraw());
  }

  /** The window shown: the whole where it fits, else a stretch that runs along with the now-line. */
  window(width) {
    const { reference, voice, now_s, from_s, to_s } = this.state;
    if (from_s !== null && to_s !== null) return [from_s, to_s];
    const curves = [reference, voice].filter(Boolean);
    const first = Math.min(0, ...curves.filter((c) => c !== reference).map((c) => Math.max(c.start_s ?? 0, -0.5)));
    const end = Math.max(1, ...(reference ? [endOf(reference)] : curves.map(endOf)));
    const fits = width / LEAST_PIXELS_PER_SECOND;
    if (now_s === null || end - first <= fits) return [first, end];
    const start = Math.max(first, Math.min(now_s - fits * NOW_AT, end - fits));
    return [start, start + fits];
  }

  redraw() {
    cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.canvas.isConnected || !this.canvas.clientWidth) return;
    const { pen, width, height } = fitCanvas(this.canvas);
    const colours = tokens(this.canvas);
    const [from, to] = this.window(width);
    // While the voice is live the picture must hold still, whatever is sung.
    const shown = this.state.now_s === null ? [this.state.reference, this.state.voice] : [this.state.reference ?? this.state.voice];
    const span = spanOf(shown.filter(Boolean));
    const foot = this.options.seconds ? 18 : 0;
    const x = scale(from, to, 6, width - 6);
    const y = scale(span.low, span.high, height - foot - 6, 6);
    pen.lineCap = "round";
    pen.lineJoin = "round";
    this.drawGrid(pen, colours, span, { width, height, y });
    if (this.options.seconds) this.drawSeconds(pen, colours, { from, to, x, height });
    this.drawReference(pen, colours, x, y);
    this.drawNow(pen, colours, x, height - foot);
    this.drawVoice(pen, colours, x, y);
  }

  drawGrid(pen, colours, span, { width, height, y }) {
    pen.strokeStyle = colours.line;
    pen.fillStyle = colours.soft;
    pen.lineWidth = 1;
    pen.font = "11px system-ui, sans-serif";
    for (const note of gridNotes(span, height)) {
      const level = Math.round(y(note)) + 0.5;
      pen.beginPath();
      pen.moveTo(0, level);
      pen.lineTo(width, level);
      pen.stroke();
      if (this.options.names) pen.fillText(noteName(note), 2, level - 3);
    }
  }

  drawSeconds(pen, colours, { from, to, x, height }) {
    const step = [0.5, 1, 2, 5, 10].find((s) => x(from + s) - x(from) >= 56) ?? 10;
    pen.fillStyle = colours.soft;
    pen.font = "11px system-ui, sans-serif";
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
      pen.fillText(`${Number(t.toFixed(1))} s`, x(t), height - 4);
    }
  }

  drawReference(pen, colours, x, y) {
    const { reference, now_s } = this.state;
    if (!reference) return;
    pen.strokeStyle = colours.reference;
    pen.setLineDash([]);
    for (const points of strokes(this.smooth(reference))) {
      pen.lineWidth = now_s === null ? SUNG_WIDTH - 1 : AHEAD_WIDTH;
      line(pen, points, x, y);
      const sung = now_s === null ? [] : points.filter(([t]) => t <= now_s);
      pen.lineWidth = SUNG_WIDTH;
      if (sung.length) line(pen, sung, x, y);
    }
  }

  drawVoice(pen, colours, x, y) {
    if (!this.state.voice) return;
    const lines = strokes(this.smooth(this.state.voice));
    pen.strokeStyle = colours.voice;
    pen.lineWidth = VOICE_WIDTH;
    pen.setLineDash(VOICE_DASH);
    lines.forEach((points) => line(pen, points, x, y));
    pen.setLineDash([]);
  }

  drawNow(pen, colours, x, height) {
    const { now_s } = this.state;
    if (now_s === null) return;
    pen.strokeStyle = colours.soft;
    pen.lineWidth = 1.5;
    pen.setLineDash([2, 5]);
    pen.beginPath();
    pen.moveTo(x(now_s), 2);
    pen.lineTo(x(now_s), height - 2);
    pen.stroke();
    pen.setLineDash([]);
  }

  /** Forgets the canvas. */
  close() {
    this.observer.disconnect();
    live.delete(this);
  }
}
