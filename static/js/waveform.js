// A waveform on a canvas, on the fragment's clock: second t of the audio stands at (t - offset_s) / rate.

import { fitCanvas, tokens } from "./curve.js";
import { scale } from "./melody.js";

// The loudest sample of every so many seconds: finer than a pixel at any width that is looked at.
const BIN_S = 0.002;

// The same as that of the curves, so that both stand over one time axis.
export const INSET = 6;

// Bars and gaps, pixels: the original is the heavier, as its curve is.
const BARS = { reference: { bar: 2, step: 3 }, voice: { bar: 1.25, step: 3 } };

// The grip of an end: its size, and how near a pointer must come.
const GRIP = { width: 11, height: 24 };
export const GRIP_REACH = 13;

/** A buffer's peaks for drawing: {peaks, loudest, bin_s}. Made once, before the picture is needed. */
export function peaksOf(buffer) {
  const samples = buffer.getChannelData(0);
  const size = Math.max(1, Math.round(BIN_S * buffer.sampleRate));
  const peaks = new Float32Array(Math.ceil(samples.length / size));
  let loudest = 1e-4;
  for (let k = 0; k < samples.length; k += 1) {
    const tall = Math.abs(samples[k]);
    const bin = Math.floor(k / size);
    if (tall > peaks[bin]) peaks[bin] = tall;
    if (tall > loudest) loudest = tall;
  }
  return { peaks, loudest, bin_s: size / buffer.sampleRate };
}

function loudestWithin({ peaks, bin_s }, from_s, to_s) {
  const first = Math.max(0, Math.floor(from_s / bin_s));
  const last = Math.min(peaks.length, Math.max(first + 1, Math.ceil(to_s / bin_s)));
  let peak = 0;
  for (let k = first; k < last; k += 1) peak = Math.max(peak, peaks[k]);
  return peak;
}

function drawBars(pen, found, { colour, x, width, height, offset_s, rate }) {
  const { bar, step } = BARS[colour];
  const second = (pixel) => offset_s + x.back(pixel) * rate;
  const length_s = found.peaks.length * found.bin_s;
  for (let pixel = INSET; pixel < width - INSET; pixel += step) {
    const from_s = second(pixel);
    if (from_s < 0 || from_s > length_s) continue;
    const tall = Math.max(1.5, (loudestWithin(found, from_s, second(pixel + step)) / found.loudest) * (height - 8));
    pen.fillRect(pixel, (height - tall) / 2, bar, tall);
  }
}

/** What is cut off: under a veil and struck through, so that it is told without its colour, too. */
function drawCut(pen, colours, from, to, height) {
  if (to <= from) return;
  pen.save();
  pen.beginPath();
  pen.rect(from, 0, to - from, height);
  pen.clip();
  pen.globalAlpha = 0.78;
  pen.fillStyle = colours.sunken;
  pen.fillRect(from, 0, to - from, height);
  pen.globalAlpha = 0.5;
  pen.strokeStyle = colours.soft;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let at = from - height; at < to; at += 8) {
    pen.moveTo(at, height);
    pen.lineTo(at + height, 0);
  }
  pen.stroke();
  pen.restore();
}

function drawEnd(pen, colours, at, side, height) {
  pen.fillStyle = colours.voice;
  pen.fillRect(at - 1, 0, 2, height);
  const left = side === "start" ? at - 1 : at - GRIP.width + 1;
  pen.beginPath();
  pen.roundRect(left, (height - GRIP.height) / 2, GRIP.width, GRIP.height, 3);
  pen.fill();
  pen.fillStyle = colours.paper;
  for (const k of [3.5, 6.5]) pen.fillRect(left + k, height / 2 - 5, 1, 10);
}

function drawFound(pen, colours, at, height) {
  pen.strokeStyle = colours.voice;
  pen.lineWidth = 1.5;
  pen.setLineDash([2, 4]);
  pen.beginPath();
  pen.moveTo(at, 0);
  pen.lineTo(at, height);
  pen.stroke();
  pen.setLineDash([]);
}

/** Fragment seconds onto pixels of a picture of that width; `back` is the way back. */
export function timeScale(from_s, to_s, width) {
  const x = scale(from_s, to_s, INSET, width - INSET);
  x.back = scale(INSET, width - INSET, from_s, to_s);
  return x;
}

/** Where an end's line and grip stand: within the picture, wherever the end is. */
export function endAt(x, second, width) {
  return Math.max(INSET, Math.min(width - INSET, x(second)));
}

/**
 * found: peaksOf a buffer; colour: "reference" or "voice"; from_s, to_s: the fragment's seconds shown; ends: {now, found},
 * each [start, end] on the fragment's clock, for a version whose ends can be moved; trimmed: which of them are, [bool, bool].
 */
export function drawWaveform(canvas, found, { colour, from_s, to_s, offset_s = 0, rate = 1, ends = null, trimmed = [] }) {
  if (!canvas.clientWidth) return;
  const { pen, width, height } = fitCanvas(canvas);
  const colours = { ...tokens(canvas), sunken: getComputedStyle(canvas).getPropertyValue("--sunken").trim() };
  const x = timeScale(from_s, to_s, width);
  pen.fillStyle = colours[colour];
  drawBars(pen, found, { colour, x, width, height, offset_s, rate });
  if (!ends) return;
  const [start, end] = ends.now.map((second) => endAt(x, second, width));
  if (trimmed[0]) drawCut(pen, colours, 0, start, height);
  if (trimmed[1]) drawCut(pen, colours, end, width, height);
  ends.found.forEach((second, k) => trimmed[k] && drawFound(pen, colours, endAt(x, second, width), height));
  drawEnd(pen, colours, start, "start", height);
  drawEnd(pen, colours, end, "end", height);
}
