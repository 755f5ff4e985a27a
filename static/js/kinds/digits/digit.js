/**
 * From a drawing to the picture that a network trained on MNIST expects.
 *
 * MNIST's digits were scaled to fit a 20x20 box with their aspect kept, and laid on a
 * 28x28 sheet with their centre of mass at its centre (LeCun, Cortes, Burges: "The MNIST
 * database of handwritten digits"). A drawing that is not treated the same way is read badly,
 * however good the network is.
 */

/** Width and height of a picture, in pixels. */
export const SIDE = 28;
/** Width and height of the box that the ink fills, in pixels. */
export const BOX = 20;
/** Ink fainter than this part of full ink does not count as part of the box. */
const FAINT = 0.1;
/** A box smaller than this part of the sheet is not blown up further: a dot stays a dot. */
const SMALLEST = 0.2;

/**
 * The ink of a sheet: where it is and where its weight lies, in the sheet's pixels.
 * @typedef {{left: number, top: number, right: number, bottom: number, x: number, y: number}} Extent
 */

/**
 * The box around the ink and its centre of mass; null when the sheet is empty.
 * @param {ArrayLike<number>} ink grey values row by row, 0 paper to `full` ink
 * @param {number} width of the sheet, in pixels
 * @param {number} height of the sheet, in pixels
 * @param {number} [full] the value of full ink
 * @returns {Extent | null}
 */
export function extent(ink, width, height, full = 255) {
  const faint = FAINT * full;
  let [left, top, right, bottom] = [width, height, 0, 0];
  let [mass, x, y] = [0, 0, 0];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const value = ink[row * width + column];
      if (value < faint || value === 0) continue;
      if (column < left) left = column;
      if (column >= right) right = column + 1;
      if (row < top) top = row;
      bottom = row + 1;
      mass += value;
      x += value * (column + 0.5);
      y += value * (row + 0.5);
    }
  }
  return mass > 0 ? { left, top, right, bottom, x: x / mass, y: y / mass } : null;
}

/**
 * The 28x28 picture of a drawing, centred and scaled as MNIST's digits are.
 * @param {ArrayLike<number>} ink grey values row by row, 0 paper to `full` ink
 * @param {number} width of the sheet, in pixels
 * @param {number} height of the sheet, in pixels
 * @param {number} [full] the value of full ink
 * @returns {Uint8Array | null} 784 grey values, 0 paper to 255 ink; null for an empty sheet
 */
export function mnistPicture(ink, width, height, full = 255) {
  const found = extent(ink, width, height, full);
  if (found === null) return null;
  const longest = Math.max(found.right - found.left, found.bottom - found.top);
  const scale = BOX / Math.max(longest, SMALLEST * Math.max(width, height));
  // A lopsided drawing whose centre of mass lies far from its box's centre would lose ink at an edge.
  const x = keepInside(found.x, found.left, found.right, SIDE / 2 / scale);
  const y = keepInside(found.y, found.top, found.bottom, SIDE / 2 / scale);
  const columns = shares(x, scale, width);
  const rows = shares(y, scale, height);
  const picture = new Uint8Array(SIDE * SIDE);
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      let sum = 0;
      for (const [sourceRow, rowShare] of rows[row]) {
        let line = 0;
        for (const [sourceColumn, share] of columns[column]) line += share * ink[sourceRow * width + sourceColumn];
        sum += rowShare * line;
      }
      picture[row * SIDE + column] = Math.round((255 * sum) / full);
    }
  }
  return picture;
}

/**
 * `centre` moved as little as possible so that `low`..`high` lies within `reach` of it.
 * @param {number} centre
 * @param {number} low
 * @param {number} high
 * @param {number} reach
 */
function keepInside(centre, low, high, reach) {
  return Math.min(Math.max(centre, high - reach), low + reach);
}

/**
 * For each pixel of the picture along one axis: which pixels of the sheet lie under it, and
 * which part of it each covers (the average over an area is what makes soft edges).
 * @param {number} centre of mass on the sheet
 * @param {number} scale picture pixels per sheet pixel
 * @param {number} size of the sheet
 * @returns {[number, number][][]}
 */
function shares(centre, scale, size) {
  return Array.from({ length: SIDE }, (_, pixel) => {
    const start = centre + (pixel - SIDE / 2) / scale;
    const end = start + 1 / scale;
    /** @type {[number, number][]} */
    const covered = [];
    for (let source = Math.max(0, Math.floor(start)); source < Math.min(size, Math.ceil(end)); source++) {
      const part = (Math.min(end, source + 1) - Math.max(start, source)) * scale;
      if (part > 1e-9) covered.push([source, part]);
    }
    return covered;
  });
}

/**
 * Bytes as base64, as JSON carries them.
 * @param {Uint8Array} bytes
 */
export function base64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

/**
 * Where the largest value is; -1 when none is largest: an empty list, no numbers, or all alike
 * (a network that has learned nothing gives each digit the same probability, and no answer).
 * @param {ArrayLike<number>} values
 */
export function largest(values) {
  let [best, least] = [-1, Infinity];
  for (let index = 0; index < values.length; index++) {
    if (Number.isNaN(values[index])) continue;
    if (best < 0 || values[index] > values[best]) best = index;
    least = Math.min(least, values[index]);
  }
  return best >= 0 && values[best] - least > 1e-6 ? best : -1;
}
