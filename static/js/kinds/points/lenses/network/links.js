// Links between neurons: their look, their curve, and which of them a pointer means.

/**
 * @typedef {object} Link
 * @property {number} layer The layer it leads to, 1 = first after the inputs.
 * @property {number} source
 * @property {number} target
 * @property {number} index In the flat WEIGHTS section.
 */

/**
 * Where each layer's weights (in x out, row by row) begin in the flat WEIGHTS section; entry 0 is the first pair's.
 * @param {ArrayLike<number>} sizes
 */
export function weightOffsets(sizes) {
  const offsets = [0];
  for (let layer = 1; layer < sizes.length; layer++) offsets.push(offsets[layer - 1] + sizes[layer - 1] * sizes[layer]);
  return offsets;
}

/** Stroke width of a weight. @param {number} weight */
export function linkWidth(weight) {
  return 0.6 + 5.4 * Math.tanh(Math.abs(weight) / 2.2);
}

/** Opacity of a weight, 0.22 to 0.90. @param {number} weight */
export function linkOpacity(weight) {
  return 0.22 + 0.68 * Math.tanh(Math.abs(weight) / 2.2);
}

/**
 * The cubic curve from one neuron's right edge to another's left edge; its handles lie half way.
 * @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1
 */
export function linkPath(x0, y0, x1, y1) {
  const middle = round((x0 + x1) / 2);
  return `M${round(x0)} ${round(y0)}C${middle} ${round(y0)} ${middle} ${round(y1)} ${round(x1)} ${round(y1)}`;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/**
 * How far along its way up or down a link is (0 to 1) at the share `across` (0 to 1) of its way across.
 * All links between two columns have the same handles, so this holds for each of them.
 * @param {number} across
 */
export function rise(across) {
  let [low, high] = [0, 1];
  for (let round = 0; round < 24; round++) {
    const t = (low + high) / 2;
    const x = 1.5 * t * (1 - t) + t * t * t; // Bezier with both handles at x = 1/2
    if (x < across) low = t;
    else high = t;
  }
  return low * low * (3 - 2 * low);
}

/**
 * The link nearest to a pointer, or null when none is within `reach` pixels.
 * @param {import("./layout.js").Layout} layout
 * @param {number} x
 * @param {number} y
 * @param {number} reach
 * @param {(link: {layer: number, source: number, target: number}) => boolean} [visible]
 * @returns {{layer: number, source: number, target: number} | null}
 */
export function nearestLink(layout, x, y, reach, visible = () => true) {
  const half = layout.tile / 2;
  for (let layer = 1; layer < layout.x.length; layer++) {
    const [from, to] = [layout.x[layer - 1] + half, layout.x[layer] - half];
    if (x < from || x > to) continue;
    const along = rise((x - from) / (to - from));
    let best = null;
    let distance = reach;
    for (const [source, y0] of layout.y[layer - 1].entries()) {
      for (const [target, y1] of layout.y[layer].entries()) {
        const away = Math.abs(y0 + (y1 - y0) * along - y);
        if (away < distance && visible({ layer, source, target })) {
          distance = away;
          best = { layer, source, target };
        }
      }
    }
    return best;
  }
  return null;
}

/**
 * The numbers of the `count` largest weights, in order of their number. All of them when there are fewer.
 * @param {ArrayLike<number>} weights
 * @param {number} count
 * @returns {number[]}
 */
export function strongest(weights, count) {
  const all = Array.from({ length: weights.length }, (_, index) => index);
  if (weights.length <= count) return all;
  return all
    .sort((a, b) => Math.abs(weights[b]) - Math.abs(weights[a]))
    .slice(0, count)
    .sort((a, b) => a - b);
}
