// Where the columns and neurons of a network stand.

/**
 * @typedef {object} Room
 * @property {number} width Of the panel, CSS pixels.
 * @property {number} height Of the part below the headers.
 * @property {number} left Kept free left of the inputs (their names).
 * @property {number} header Least distance of two columns, so that headers don't overlap.
 * @property {boolean} touch Neurons are pressed with a finger.
 * @property {number} below Kept free below the inputs (the ones that are switched off).
 *
 * @typedef {object} Layout
 * @property {number} width Of the stage; more than the panel where it must scroll.
 * @property {number} height
 * @property {number} tile Edge of a neuron's picture.
 * @property {number} pitch Distance between two neurons of a column.
 * @property {number[]} x Centre of each column.
 * @property {number[][]} y Centres of each column's neurons.
 */

/** The largest distance of two neurons: 84 pixels, on a tall screen up to 112. @param {number} height */
const largestPitch = (height) => Math.min(112, Math.max(84, height * 0.21));

/**
 * @param {number[]} sizes Neurons of each column, inputs first.
 * @param {Room} room
 * @returns {Layout}
 */
export function layoutNetwork(sizes, room) {
  const most = Math.max(...sizes);
  const inputs = sizes[0];
  const least = leastPitch(most, room.touch);
  const fits = Math.min(room.height / most, (room.height - room.below) / inputs);
  const pitch = Math.min(largestPitch(room.height), Math.max(least, fits));
  const gap = Math.max(3, pitch * 0.31);
  const inputPitch = Math.max(pitch, LEAST_INPUT_PITCH);
  const height = Math.max(room.height, pitch * most, inputPitch * inputs + room.below);
  const tile = room.touch && most <= 8 ? 44 : pitch - gap;

  const right = Math.max(tile / 2 + 14, Math.min(62, room.header / 2));
  const first = room.left + tile / 2;
  const distance = Math.max(room.header, tile + 24, (room.width - first - right) / Math.max(1, sizes.length - 1));
  const x = sizes.map((_, column) => first + column * distance);
  const width = Math.max(room.width, x[x.length - 1] + right);
  const y = sizes.map((size, column) => {
    const free = column === 0 ? room.below : 0;
    const step = column === 0 ? inputPitch : pitch;
    const start = Math.max((height - size * step) / 2 - (column === 0 ? overhang(size * step, height, free) : 0), 0);
    return Array.from({ length: size }, (_, row) => start + (row + 0.5) * step);
  });
  return { width, height, tile, pitch, x, y };
}

/**
 * The height below which a network's neurons don't fit.
 * @param {number[]} sizes
 * @param {number} below Kept free below the inputs.
 * @param {boolean} touch
 */
export function leastHeight(sizes, below, touch) {
  const most = Math.max(...sizes);
  const least = leastPitch(most, touch);
  return Math.max(least * most, Math.max(least, LEAST_INPUT_PITCH) * sizes[0] + below);
}

/** How far the inputs move up so that `below` fits under them. @param {number} used @param {number} height @param {number} below */
function overhang(used, height, below) {
  return Math.max(0, below - (height - used) / 2);
}

/** The inputs' names stand beside them and must not overlap. */
const LEAST_INPUT_PITCH = 28;

/** @param {number} most @param {boolean} touch */
function leastPitch(most, touch) {
  if (!touch) return 14;
  return most <= 8 ? 48 : 26;
}
