/** Deeper hidden layers: a small square for each unit, coloured by what it answers to the picture. */
import { useLayoutEffect, useRef, useState } from "../../../../../vendor/preact/hooks.js";
import { t } from "../../../../core/i18n.js";
import { palette } from "../../../../core/theme.js";
import { html } from "../../../../lib/html.js";
import { formatNumber } from "../../../../lib/text.js";
import { tiling } from "./arrange.js";
import { reach } from "../../model.js";
import { cssColour, tableIndex } from "../../paint.js";
import { moveTo, useSize } from "../../pictures.js";

const GAP = 2;
const MOST = 30;

/**
 * @typedef {object} Plan Where the squares are, in CSS pixels.
 * @property {number} columns
 * @property {number} pitch From one square to the next.
 * @property {number} side
 * @property {number} width
 * @property {number} height
 */

/**
 * @param {{layer: import("../../model.js").Layer, index: number, look: (looked: import("./index.js").Looked | null) => void}} props
 *   `index` counts hidden layers from 0.
 */
export function UnitGrid({ layer, index, look }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [current, setCurrent] = useState(0);
  const [marked, setMarked] = useState(false);
  const plan = planFor(layer.size, useSize(place));
  const { columns, pitch, width, height } = plan;
  const { table, ink } = palette.value;
  const unit = Math.min(current, layer.size - 1);

  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (context && width > 0) paintUnits(context, layer.activations, plan, table, marked ? { unit, ink } : null);
  }, [layer.activations, table, ink, width, height, columns, marked, unit]);

  /** @param {number} next */
  function show(next) {
    setCurrent(next);
    setMarked(true);
    if (canvas.current) look({ layer: index, unit: next, element: canvas.current });
  }

  /** @param {PointerEvent} event */
  function onPointerMove(event) {
    const column = Math.min(columns - 1, Math.max(0, Math.floor(event.offsetX / pitch)));
    const next = Math.max(0, Math.floor(event.offsetY / pitch)) * columns + column;
    if (next < layer.size) show(next);
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const next = moveTo(event.key, unit, layer.size, columns);
    if (next === null) return;
    event.preventDefault();
    show(next);
  }

  function leave() {
    setMarked(false);
    look(null);
  }

  const value = formatNumber(layer.activations[unit], 2);
  return html`<div ref=${place} class="digits-units">
    <canvas ref=${canvas} style=${{ width: `${width}px`, height: `${height}px` }} tabindex="0" role="slider"
      aria-label=${t("digits.units_of", { layer: index + 1 })} aria-valuemin="1" aria-valuemax=${layer.size} aria-valuenow=${unit + 1}
      aria-valuetext=${t("digits.unit_value", { unit: unit + 1, value })} aria-orientation="horizontal" data-keys="arrows"
      onKeyDown=${onKeyDown} onFocus=${() => show(unit)} onBlur=${leave} onPointerMove=${onPointerMove} onPointerLeave=${leave}></canvas>
  </div>`;
}

/**
 * @param {number} count
 * @param {{width: number, height: number, unit: number}} room
 * @returns {Plan}
 */
function planFor(count, room) {
  const { columns, rows, side: largest } = tiling(count, room.width, room.height, GAP);
  const side = Math.max(1, Math.floor(Math.min(largest, MOST * room.unit)));
  const pitch = side + GAP;
  const laidOut = room.width > 0;
  return { columns, pitch, side, width: laidOut ? columns * pitch - GAP : 0, height: laidOut ? rows * pitch - GAP : 0 };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Float32Array} activations
 * @param {Plan} plan
 * @param {Uint32Array} table
 * @param {{unit: number, ink: string} | null} mark
 */
function paintUnits(context, activations, { columns, pitch, side, width, height }, table, mark) {
  const ratio = devicePixelRatio || 1;
  context.canvas.width = Math.round(width * ratio); // this also clears the canvas
  context.canvas.height = Math.round(height * ratio);
  context.scale(ratio, ratio);
  const most = reach(activations);
  activations.forEach((value, unit) => {
    context.fillStyle = cssColour(table[tableIndex(value, most)]);
    context.beginPath();
    context.roundRect((unit % columns) * pitch, Math.floor(unit / columns) * pitch, side, side, Math.min(4, side / 4));
    context.fill();
    if (unit !== mark?.unit) return;
    context.strokeStyle = mark.ink;
    context.lineWidth = 2;
    context.stroke();
  });
}
