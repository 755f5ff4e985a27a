// Small sample clouds for the data thumbnails: what each kind of data looks like, not the data itself.

/** @typedef {{x: number, y: number, label: 1 | -1}} Point */

/** A repeatable stream of numbers in [0, 1) (mulberry32). @param {number} seed */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @type {Record<string, (next: () => number, index: number, count: number) => Point>} */
const SHAPES = {
  circle(next, index) {
    const inner = index % 2 === 0;
    const radius = inner ? Math.sqrt(next()) * 0.44 : 0.68 + next() * 0.24;
    const angle = next() * 2 * Math.PI;
    return { x: radius * Math.cos(angle), y: radius * Math.sin(angle), label: inner ? 1 : -1 };
  },
  xor(next) {
    const side = () => (next() < 0.5 ? -1 : 1) * (0.1 + next() * 0.8);
    const [x, y] = [side(), side()];
    return { x, y, label: x * y > 0 ? 1 : -1 };
  },
  gauss(next, index) {
    const label = index % 2 === 0 ? 1 : -1;
    const spread = () => (next() + next() + next() - 1.5) * 0.5;
    return { x: 0.42 * label + spread(), y: 0.42 * label + spread(), label };
  },
  spiral(next, index, count) {
    const label = index % 2 === 0 ? 1 : -1;
    const along = index / count;
    const angle = along * 1.6 * 2 * Math.PI + (label > 0 ? 0 : Math.PI);
    const radius = 0.06 + along * 0.84;
    return { x: radius * Math.sin(angle), y: radius * Math.cos(angle), label };
  },
};

/**
 * `count` points of a kind of data, in [-1, 1]; none for a kind that has no sketch here.
 * @param {string} kind
 * @param {number} [count]
 * @returns {Point[]}
 */
export function sampleCloud(kind, count = 150) {
  const shape = SHAPES[kind];
  if (!shape) return [];
  const next = numbers(7);
  return Array.from({ length: count }, (_, index) => shape(next, index, count));
}
