/** What changes with the frames: painters for pictures, bars and numbers that are there already (docs/page.md). */
import { useLayoutEffect } from "../../../vendor/preact/hooks.js";
import { palette } from "../../core/theme.js";
import { whenChanged } from "../../lib/changed.js";
import { SIDE } from "./digit.js";
import { viewOf } from "./model.js";
import { inkTable, paintPicture, stretched } from "./paint.js";

/** @typedef {import("./model.js").View} View */

/**
 * While the component is there, paint each frame's view on the element that `place` holds.
 * @template {Element} E
 * @param {import("../../core/run.js").Run} run
 * @param {{current: E | null}} place
 * @param {(element: E) => (view: View) => void} make Looks for what is painted inside the element, and gives the painter.
 * @param {any[]} [inputs] What else the painter is made from: with other ones it is made anew.
 */
export function usePainter(run, place, make, inputs = []) {
  useLayoutEffect(() => {
    if (!place.current) return undefined;
    const paint = make(place.current);
    return run.onFrame((frame) => {
      const view = viewOf(frame);
      if (view) paint(view);
    });
  }, [run, ...inputs]);
}

/** A picture as ink on paper, in the colours of the theme. @param {HTMLCanvasElement} canvas 28 x 28. */
export function inkPainter(canvas) {
  const paint = picturePainter(canvas, (_, table) => table);
  return (/** @type {Uint8Array} */ pixels) => {
    const { panel, ink } = palette.value;
    paint(pixels, inkTable(panel, ink));
  };
}

/** Weights as a picture, through the page's table of blue and orange. @param {HTMLCanvasElement} canvas 28 x 28. */
export function weightPainter(canvas) {
  const paint = picturePainter(canvas, (pixels, table) => stretched(table, pixels));
  return (/** @type {Uint8Array} */ pixels) => paint(pixels, palette.value.table);
}

/**
 * Paints only other bytes or other colours.
 * @param {HTMLCanvasElement} canvas
 * @param {(pixels: Uint8Array, table: Uint32Array) => Uint32Array} coloursFor The table of 256 colours for a picture.
 */
function picturePainter(canvas, coloursFor) {
  const paint = whenChanged(
    (/** @type {ArrayBufferLike} */ buffer, /** @type {number} */ start, /** @type {Uint32Array} */ table) => {
      const pixels = new Uint8Array(buffer, start, SIDE * SIDE);
      paintPicture(canvas, pixels, coloursFor(pixels, table));
    },
  );
  return (/** @type {Uint8Array} */ pixels, /** @type {Uint32Array} */ table) =>
    paint(pixels.buffer, pixels.byteOffset, table);
}

/** A bar as long as a share of one. @param {Element} bar As Bar makes it. */
export function barPainter(bar) {
  const { style } = /** @type {HTMLElement} */ (bar.firstElementChild);
  const axis = bar.classList.contains("upright") ? "scaleY" : "scaleX";
  return whenChanged((/** @type {number} */ share) => {
    style.transform = `${axis}(${Number.isFinite(share) ? Math.max(0, Math.min(1, share)) : 0})`;
  });
}

/** @param {Element} element */
export function textPainter(element) {
  return whenChanged((/** @type {string} */ text) => {
    element.textContent = text;
  });
}
