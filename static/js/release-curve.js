// Pitch curves as releases have them, lines of "seconds,Hz" with 0 Hz where no voice is heard, for the pages' pictures.

import { getBytes } from "./api.js";

const A4_HZ = 440;
const A4 = 69;
// Of a curve with one line only.
const USUAL_HOP_S = 0.01;

/** A curve as melody.js has them: {hop_s, pitch, start_s}. */
export function curveOf(lines) {
  const points = lines.trim().split("\n").filter(Boolean).map((line) => line.split(",").map(Number));
  const [first, last] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  const hop_s = points.length > 1 ? (last - first) / (points.length - 1) : USUAL_HOP_S;
  return { hop_s, start_s: first, pitch: points.map(([, hz]) => (hz > 0 ? A4 + 12 * Math.log2(hz / A4_HZ) : null)) };
}

/** The curve at an address. Throws ApiError. */
export async function curveAt(path) {
  return curveOf(new TextDecoder().decode(await getBytes(path)));
}

/** A cell of the tables as a number; null where it is empty. */
export function number(text) {
  return text === "" || text === undefined ? null : Number(text);
}
