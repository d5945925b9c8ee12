// Counts of what is too much to draw one by one.

/**
 * Cells put together on a grid `side` pixels wide, each sum in the middle of what it counts.
 *
 * A cell is a point with counts: `n` of all, and of parts of them under other names.
 */
export function merged(cells, side) {
  const found = new Map();
  for (const { geom: [[{ x, y }]], props } of cells) {
    const key = `${Math.floor(x / side)}:${Math.floor(y / side)}`;
    const sum = found.get(key) ?? { x: 0, y: 0, props: {} };
    sum.x += x * props.n;
    sum.y += y * props.n;
    for (const [name, count] of Object.entries(props)) sum.props[name] = (sum.props[name] ?? 0) + count;
    found.set(key, sum);
  }
  return [...found.values()].map(({ x, y, props }) => ({
    geomType: 1,
    geom: [[{ x: x / props.n, y: y / props.n }]],
    props,
  }));
}
