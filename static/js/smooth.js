// A smooth line through points, such as the growth of the collection: it never leaves the space between two of them.

/** The slope at each point, such that the curve between two never leaves the space between them. */
function slopes(at) {
  const rises = at.slice(1).map(([x, y], k) => (y - at[k][1]) / (x - at[k][0] || 1));
  return at.map((_, k) => {
    const [before, after] = [rises[k - 1] ?? rises[k], rises[k] ?? rises[k - 1]];
    return before * after <= 0 ? 0 : (2 * before * after) / (before + after);
  });
}

/** The `d` of an SVG path through the points [[x, y]], from left to right. */
export function smoothPath(at) {
  const slope = slopes(at);
  const pair = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  return at.reduce((drawn, [x, y], k) => {
    if (!k) return `M${pair(x, y)}`;
    const [fromX, fromY] = at[k - 1];
    const third = (x - fromX) / 3;
    return `${drawn}C${pair(fromX + third, fromY + third * slope[k - 1])} ${pair(x - third, y - third * slope[k])} ${pair(x, y)}`;
  }, "");
}
