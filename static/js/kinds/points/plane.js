// Paints the big plane and the points on it.
import { paintMap } from "../../lib/heatmap.js";
import { unitOffsets } from "./units.js";

/**
 * @typedef {import("../../lib/frame.js").Frame} Frame
 * @typedef {import("./look.js").Neuron} Neuron
 */

/** Points live in [-RANGE, RANGE] in both directions. */
const RANGE = 6;

/**
 * The plane of `neuron` (null: the output). Until the fine plane of a neuron arrives, its small map stands in.
 * @param {HTMLCanvasElement} canvas
 * @param {Frame} frame
 * @param {Neuron | null} neuron
 * @param {Uint32Array} table
 */
export function paintPlane(canvas, { sections }, neuron, table) {
  const { layers, look, plane, maps } = sections;
  if (!layers) return;
  const wanted = neuron ?? { layer: layers.data.length - 1, unit: 0 };
  const [layer, unit] = look ? look.data : [-1, -1];
  if (plane && layer === wanted.layer && unit === wanted.unit) {
    paint(canvas, plane.shape[1], plane.data, 0, table);
  } else if (maps) {
    const index = unitOffsets(layers.data)[wanted.layer] + wanted.unit;
    if (index >= maps.shape[0]) return;
    const side = maps.shape[1];
    paint(canvas, side, maps.data, index * side * side, table);
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} side
 * @param {ArrayLike<number>} bytes
 * @param {number} offset
 * @param {Uint32Array} table
 */
function paint(canvas, side, bytes, offset, table) {
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(side, side);
  paintMap(new Uint32Array(image.data.buffer), bytes, offset, table);
  context.putImageData(image, 0, 0);
}

/**
 * Training points filled; points kept for testing hollow. Circle = blue, diamond = orange.
 * @param {HTMLCanvasElement} canvas
 * @param {Frame} frame
 * @param {{positive: string, negative: string, panel: string}} colours
 * @param {boolean} showUnseen
 */
export function paintPoints(canvas, { sections }, colours, showUnseen) {
  const { points, labels, unseen } = sections;
  const context = canvas.getContext("2d");
  const size = canvas.clientWidth;
  if (!context || !points || !labels || size === 0) return;
  const ratio = Math.min(3, devicePixelRatio);
  canvas.width = canvas.height = Math.round(size * ratio);
  context.scale(ratio, ratio);
  context.lineWidth = 1;
  const radius = Math.max(3, size / 84);
  for (let index = 0; index < labels.data.length; index++) {
    const kept = unseen ? unseen.data[index] === 1 : false;
    if (kept && !showUnseen) continue;
    const x = (0.5 + points.data[2 * index] / (2 * RANGE)) * size;
    const y = (0.5 - points.data[2 * index + 1] / (2 * RANGE)) * size;
    const colour = labels.data[index] > 0 ? colours.positive : colours.negative;
    mark(context, x, y, radius, labels.data[index] > 0);
    context.fillStyle = kept ? colours.panel : colour;
    context.strokeStyle = kept ? colour : colours.panel;
    context.lineWidth = kept ? 1.6 : 1;
    context.fill();
    context.stroke();
  }
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius @param {boolean} round */
function mark(context, x, y, radius, round) {
  context.beginPath();
  if (round) {
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const reach = radius * 1.25; // a diamond looks as large as the circle then
  context.moveTo(x, y - reach);
  context.lineTo(x + reach, y);
  context.lineTo(x, y + reach);
  context.lineTo(x - reach, y);
  context.closePath();
}
