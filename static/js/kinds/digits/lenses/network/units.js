/** Deeper hidden layers: a small square for each unit, coloured by what it answers to the picture. */
import { useRef, useState } from "../../../../../vendor/preact/hooks.js";
import { t } from "../../../../core/i18n.js";
import { palette } from "../../../../core/theme.js";
import { whenChanged } from "../../../../lib/changed.js";
import { html } from "../../../../lib/html.js";
import { formatNumber } from "../../../../lib/text.js";
import { tiling } from "./arrange.js";
import { reach } from "../../model.js";
import { cssColour, tableIndex } from "../../paint.js";
import { usePainter } from "../../painters.js";
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
 * @param {{run: import("./index.js").Run, size: number, index: number, look: (looked: import("./index.js").Looked | null) => void}} props
 *   `size`: its units. `index` counts hidden layers from 0.
 */
export function UnitGrid({ run, size, index, look }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [current, setCurrent] = useState(0);
  const [marked, setMarked] = useState(false);
  const plan = planFor(size, useSize(place));
  const { columns, pitch, width, height } = plan;
  const unit = Math.min(current, size - 1);
  usePainter(
    run,
    canvas,
    (element) => {
      const context = element.getContext("2d");
      const spoken = whenChanged((/** @type {string} */ text) => element.setAttribute("aria-valuetext", text));
      return ({ hidden }) => {
        const { activations } = hidden[index] ?? {};
        if (activations?.length !== size) return; // of another network, whose columns come shortly
        const { table, ink } = palette.value;
        if (context && width > 0) paintUnits(context, activations, plan, table, marked ? { unit, ink } : null);
        spoken(t("digits.unit_value", { unit: unit + 1, value: formatNumber(activations[unit], 2) }));
      };
    },
    [size, index, width, height, columns, marked, unit],
  );

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
    if (next < size) show(next);
  }

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const next = moveTo(event.key, unit, size, columns);
    if (next === null) return;
    event.preventDefault();
    show(next);
  }

  function leave() {
    setMarked(false);
    look(null);
  }

  return html`<div ref=${place} class="digits-units">
    <canvas ref=${canvas} style=${{ width: `${width}px`, height: `${height}px` }} tabindex="0" role="slider"
      aria-label=${t("digits.units_of", { layer: index + 1 })} aria-valuemin="1" aria-valuemax=${size} aria-valuenow=${unit + 1}
      aria-orientation="horizontal" data-keys="arrows"
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
  const { canvas } = context;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
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
