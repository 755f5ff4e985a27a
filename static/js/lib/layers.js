// Adding and removing hidden layers and neurons, within the server's limits.

/** Sizes that the digits page steps through; the 2D page counts by one. */
const DIGIT_SIZES = [16, 32, 64, 128, 256, 512];
const NEW_LAYER = { points: 4, digits: 128 };

/**
 * The next smaller or larger size of a layer, or null at the limit.
 * @param {"points" | "digits"} kind
 * @param {number} size
 * @param {1 | -1} direction
 * @param {{min?: number, max?: number}} limits
 * @returns {number | null}
 */
export function nextSize(kind, size, direction, { min = 1, max = Infinity }) {
  let next = size + direction;
  if (kind === "digits") {
    const sizes = direction > 0 ? DIGIT_SIZES : [...DIGIT_SIZES].reverse();
    next = sizes.find((candidate) => (candidate - size) * direction > 0) ?? (direction > 0 ? Infinity : min);
  }
  return next >= min && next <= max && next !== size ? next : null;
}

/** The hidden layers with one more. @param {"points" | "digits"} kind @param {number[]} hidden */
export function withLayer(kind, hidden) {
  return [...hidden, NEW_LAYER[kind]];
}

/** @param {number[]} hidden @param {number} index @param {number} size */
export function withSize(hidden, index, size) {
  return hidden.map((old, at) => (at === index ? size : old));
}
