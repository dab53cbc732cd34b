// The loop as a melody: a line from station to station, drawn through their badges as they stand on the page. Indigo
// where melodies go, coral and dashed where voices go. On a phone the stations are a list and the line runs down it.

// How far a note stands off the straight way, px, and the notes of each stretch: 0 on the way, 1 and -1 beside it.
const LIFT = 20;
const LIFT_DOWN = 9;
const NOTES = [
  [0, 0.9, 0.35, -0.8, 0],
  [0, -0.7, 0.8, 0.2, 0],
  [0, 0.7, -0.6, 0.5, -0.7, 0],
  [0, 0.8, -0.3, 0.6, 0],
  [0, -0.9, 0.2, 0.8, 0],
  [0, 0.6, -0.7, 0.7, -0.5, 0],
];
// Stretches that carry voices: from hums to the double-check, and on to training.
const VOICES = [1, 2];
const SAMPLES = 64;
// Room to be left around a badge, px.
const CLEAR = 8;

const SPACE = "http://www.w3.org/2000/svg";

/** The note at t of 0..1, gliding from one to the next. */
function noteAt(notes, t) {
  const at = t * (notes.length - 1);
  const k = Math.min(Math.floor(at), notes.length - 2);
  const glide = at - k;
  return notes[k] + (notes[k + 1] - notes[k]) * glide * glide * (3 - 2 * glide);
}

/** The way between two badges: straight, or around the outside, with so much room there, where the loop turns back. */
function way(from, to, { turn, room }) {
  if (!turn) return (t) => [from.x + (to.x - from.x) * t, from.y + (to.y - from.y) * t];
  // The curve comes three quarters as far out as the points that pull it.
  const out = turn * Math.min(Math.abs(to.y - from.y) * 0.62, (room - LIFT) / 0.75);
  const [ax, bx] = [from.x + out, to.x + out];
  return (t) => {
    const s = 1 - t;
    const mix = (a, b, c, d) => s * s * s * a + 3 * s * s * t * b + 3 * s * t * t * c + t * t * t * d;
    return [mix(from.x, ax, bx, to.x), mix(from.y, from.y, to.y, to.y)];
  };
}

/** Points along a stretch, off its way by its notes, clear of both badges. */
function points(from, to, { notes, lift, ...rest }) {
  const at = way(from, to, rest);
  const found = [];
  for (let k = 0; k <= SAMPLES; k += 1) {
    const t = k / SAMPLES;
    const [x, y] = at(t);
    const [ax, ay] = at(Math.max(0, t - 0.01));
    const [bx, by] = at(Math.min(1, t + 0.01));
    const length = Math.hypot(bx - ax, by - ay) || 1;
    const off = lift * noteAt(notes, t);
    const point = [x + ((by - ay) / length) * off, y - ((bx - ax) / length) * off];
    const clear = (badge) => Math.hypot(point[0] - badge.x, point[1] - badge.y) > badge.r + CLEAR;
    if (clear(from) && clear(to)) found.push(point);
  }
  return found;
}

function path(found) {
  return found.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

function add(svg, name, d) {
  const line = document.createElementNS(SPACE, "path");
  line.setAttribute("class", name);
  line.setAttribute("d", d);
  svg.append(line);
  return line;
}

/** Two short strokes at the end of a stretch: this way. */
function arrow(found) {
  const [x, y] = found.at(-1);
  const [bx, by] = found[Math.max(0, found.length - 6)];
  const angle = Math.atan2(y - by, x - bx);
  const side = (turn) => `${(x - 11 * Math.cos(angle + turn)).toFixed(1)} ${(y - 11 * Math.sin(angle + turn)).toFixed(1)}`;
  return `M${side(0.55)}L${x.toFixed(1)} ${y.toFixed(1)}L${side(-0.55)}`;
}

function badgesIn(box) {
  const home = box.getBoundingClientRect();
  return [...box.querySelectorAll(".station__badge")].map((badge) => {
    const { left, top, width, height } = badge.getBoundingClientRect();
    return { x: left - home.left + width / 2, y: top - home.top + height / 2, r: width / 2 };
  });
}

/** Draws the loop of `box` into `svg`. busy: for each station whether a job of it runs; a note then runs towards it. */
export function drawLoop(svg, box, busy) {
  const badges = badgesIn(box);
  const listed = badges[0].x === badges[1].x;
  svg.setAttribute("viewBox", `0 0 ${box.clientWidth} ${box.clientHeight}`);
  svg.replaceChildren();
  badges.forEach((from, k) => {
    const next = (k + 1) % badges.length;
    const to = badges[next];
    if (listed && next === 0) return;
    const turn = listed || from.x !== to.x ? 0 : k < badges.length / 2 ? 1 : -1;
    const room = turn > 0 ? box.clientWidth - from.x : from.x;
    const found = points(from, to, { notes: NOTES[k], lift: listed ? LIFT_DOWN : LIFT, turn, room });
    if (found.length < 2) return;
    const kind = VOICES.includes(k) ? "voice" : "reference";
    add(svg, `stroke-${kind}`, path(found));
    add(svg, `stroke-${kind} chain__arrow`, arrow(found));
    if (busy[next]) add(svg, `chain__run chain__run--${kind}`, path(found)).setAttribute("pathLength", "100");
  });
}
