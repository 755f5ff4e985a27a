/** Colours of pictures, and pictures of 28 x 28 pixels on canvas. */
import { parseColour } from "../../lib/colour.js";
import { SIDE } from "./digit.js";

/**
 * Paint `pixels` through a colour table of 256 entries.
 * @param {HTMLCanvasElement} canvas 28 x 28.
 * @param {Uint8Array} pixels
 * @param {Uint32Array} table
 */
export function paintPicture(canvas, pixels, table) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser has no 2D canvas");
  const image = new ImageData(SIDE, SIDE);
  const words = new Uint32Array(image.data.buffer);
  for (let index = 0; index < words.length; index++) words[index] = table[pixels[index]];
  context.putImageData(image, 0, 0);
}

/** Weights beyond this share of a picture's pixels, counted from zero, are painted in the full colour. */
const SHARE = 0.97;
/** Nor is a picture stretched further than this, of 127.5: of an empty one nothing would be left but rounding. */
const LEAST_REACH = 24;

/**
 * `table` stretched so that a picture's few largest weights don't make all others pale.
 * @param {Uint32Array} table 256 colours from -1 over 0 to 1.
 * @param {Uint8Array} pixels 0..255 for -1..1.
 */
export function stretched(table, pixels) {
  const counts = new Uint32Array(129);
  for (const pixel of pixels) counts[Math.ceil(Math.abs(pixel - 127.5))] += 1;
  let reach = 0;
  for (let seen = 0; seen < SHARE * pixels.length && reach < 128; seen += counts[reach]) reach += 1;
  reach = Math.max(reach, LEAST_REACH);
  return table.map((_, pixel) => {
    const offset = pixel - 127.5;
    const value = Math.sign(offset) * (Math.abs(offset) - 0.5); // 127 and 128 are both what rounding made of zero
    return table[Math.round(127.5 + 127.5 * Math.max(-1, Math.min(1, value / reach)))];
  });
}

/** @type {Map<string, Uint32Array>} */
const greys = new Map();

/**
 * 256 colours from paper (0) to ink (255).
 * @param {string} paper
 * @param {string} ink
 */
export function inkTable(paper, ink) {
  const key = `${paper} ${ink}`;
  const known = greys.get(key);
  if (known) return known;
  const [from, to] = [parseColour(paper), parseColour(ink)];
  const table = Uint32Array.from({ length: 256 }, (_, value) => {
    const [red, green, blue] = from.map((part, axis) => Math.round(part + (value / 255) * (to[axis] - part)));
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
  greys.set(key, table);
  return table;
}

/**
 * The colour of an activation, as an index into a diverging table of 256 entries.
 * @param {number} value
 * @param {number} reach The value that the end of the table stands for.
 */
export function tableIndex(value, reach) {
  const share = Number.isFinite(value) ? Math.max(-1, Math.min(1, value / reach)) : 0;
  return Math.round(127.5 + 127.5 * share);
}

/**
 * A word of a colour table as CSS.
 * @param {number} word
 */
export function cssColour(word) {
  return `rgb(${word & 255}, ${(word >> 8) & 255}, ${(word >> 16) & 255})`;
}
