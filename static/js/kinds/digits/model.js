/** What a frame of a digits run says, under the names that the views use. Pure: no DOM. */
import { sameValue } from "../../lib/settings.js";
import { largest } from "./digit.js";

/**
 * @typedef {import("../../lib/frame.js").Frame} Frame
 *
 * @typedef {object} Layer A hidden layer, or the output.
 * @property {number} size Number of units.
 * @property {Float32Array} activations Of the picture that is looked at; the output's are probabilities.
 *
 * @typedef {object} UnitImages Incoming weights of the first units of the first layer after the inputs.
 * @property {number} count
 * @property {Uint8Array} pixels `count` x 28 x 28; 0..255 stands for -1..1 of the unit's scale.
 * @property {Float32Array} scale The weight that 255 stands for, per unit.
 * @property {Float32Array} biases Of the same units.
 *
 * @typedef {object} GalleryItem
 * @property {number} image Number among the test images.
 * @property {number} label The digit that it is.
 * @property {number} answer The digit that the network reads; -1 before it was asked.
 * @property {Float32Array} probabilities
 * @property {Uint8Array} pixels 28 x 28.
 *
 * @typedef {object} View
 * @property {Layer[]} hidden
 * @property {Layer} output
 * @property {UnitImages | null} units null where no lens is open that shows them.
 * @property {Uint8Array} subject 28 x 28, the picture that is looked at.
 * @property {GalleryItem[]} gallery
 * @property {number} picked Position in the gallery of the picture that is looked at; -1 for a drawing.
 * @property {boolean} overflowed Whether the network's numbers are no longer numbers: it has no answer at all.
 * @property {Int32Array | null} confusion 10 x 10, true digit by read digit; null before the first evaluation.
 *
 * @typedef {object} Shape What the page is built from; the rest of a view only changes how that looks.
 * @property {number[]} sizes Units of each layer after the inputs.
 * @property {number | null} pictured How many units' weights are shown as pictures; null where no lens is open that shows them.
 * @property {{image: number, label: number}[]} gallery
 * @property {number} picked
 * @property {boolean} overflowed
 * @property {boolean} tested Whether an evaluation has ended.
 */

const PIXELS = 28 * 28;
const DIGITS = 10;

/** @type {WeakMap<Frame, View | null>} */
const views = new WeakMap();

/** The view of a frame: read once, however many painters ask. @param {Frame} frame */
export function viewOf(frame) {
  if (!views.has(frame)) views.set(frame, readView(frame));
  return views.get(frame) ?? null;
}

/**
 * The shape of a view, as the very same object where it is the one of `last`.
 * @param {View} view
 * @param {Shape | null} last
 * @returns {Shape}
 */
export function shapeOf({ hidden, output, units, gallery, picked, overflowed, confusion }, last) {
  const shape = {
    sizes: [...hidden, output].map(({ size }) => size),
    pictured: units && units.count,
    gallery: gallery.map(({ image, label }) => ({ image, label })),
    picked,
    overflowed,
    tested: confusion !== null,
  };
  return last && sameValue(shape, last) ? last : shape;
}

/**
 * @param {Frame} frame
 * @returns {View | null} null if the frame lacks a section that every frame of a digits run has.
 */
export function readView({ sections }) {
  const { layers, activations, subject, confusion } = sections;
  if (!layers || !activations || !subject) return null;
  const sizes = [...layers.data].slice(1);
  const values = /** @type {Float32Array} */ (activations.data);
  let start = 0;
  const rest = sizes.map((size) => {
    start += size;
    return { size, activations: values.subarray(start - size, start) };
  });
  const pixels = /** @type {Uint8Array} */ (subject.data);
  const gallery = readGallery(sections);
  const output = rest[rest.length - 1];
  return {
    hidden: rest.slice(0, -1),
    output,
    units: readUnits(sections),
    subject: pixels,
    gallery,
    picked: gallery.findIndex((item) => item.pixels.every((value, index) => value === pixels[index])),
    overflowed: output.activations.some((share) => !Number.isFinite(share)),
    confusion: confusion ? /** @type {Int32Array} */ (confusion.data) : null,
  };
}

/**
 * @param {Frame["sections"]} sections
 * @returns {UnitImages | null}
 */
function readUnits({ unit_images, unit_scale, biases }) {
  if (!unit_images || !unit_scale) return null;
  const count = unit_images.shape[0];
  return {
    count,
    pixels: /** @type {Uint8Array} */ (unit_images.data),
    scale: /** @type {Float32Array} */ (unit_scale.data),
    biases: /** @type {Float32Array} */ (biases?.data.subarray(0, count) ?? new Float32Array(count).fill(NaN)),
  };
}

/**
 * @param {Frame["sections"]} sections
 * @returns {GalleryItem[]}
 */
function readGallery({ gallery_images, gallery_index, gallery_probs, labels }) {
  if (!gallery_images || !gallery_index || !labels) return [];
  return [...gallery_index.data].map((image, position) => {
    const probabilities = /** @type {Float32Array} */ (
      gallery_probs?.data.subarray(DIGITS * position, DIGITS * (position + 1)) ?? new Float32Array(0)
    );
    return {
      image,
      label: labels.data[position],
      answer: largest(probabilities),
      probabilities,
      pixels: /** @type {Uint8Array} */ (gallery_images.data.subarray(PIXELS * position, PIXELS * (position + 1))),
    };
  });
}

/**
 * Whether the newest test of the network was made with weights that had been trained before the test began.
 * The first test that ends after the start may have begun with the very first steps, or before them.
 * @param {(number | null)[]} epochs When the tests since the last reset ended.
 * @param {boolean} playing While it trains, another test is on its way.
 */
export function testedSinceStart(epochs, playing) {
  return epochs.filter((epoch) => Number(epoch) > 0).length >= (playing ? 2 : 1);
}

/**
 * The largest absolute value, at least `least`.
 * @param {ArrayLike<number>} values
 * @param {number} [least]
 */
export function reach(values, least = 1e-6) {
  let found = least;
  for (let index = 0; index < values.length; index++) found = Math.max(found, Math.abs(values[index]) || 0);
  return found;
}

/**
 * The pairs of digits that are confused most often.
 * @param {Int32Array} confusion 10 x 10, true digit by read digit.
 * @param {number} [count]
 * @returns {{label: number, answer: number, times: number}[]} The most frequent first; none that never happened.
 */
export function worstPairs(confusion, count = 3) {
  return Array.from(confusion, (times, cell) => ({ label: Math.floor(cell / DIGITS), answer: cell % DIGITS, times }))
    .filter(({ label, answer, times }) => label !== answer && times > 0)
    .sort((one, other) => other.times - one.times)
    .slice(0, count);
}
