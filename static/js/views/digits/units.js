/** Deeper hidden layers: a small square for each unit, coloured by what it answers to the picture. */
import { useLayoutEffect, useRef, useState } from "../../../vendor/preact/hooks.js";
import { t } from "../../core/i18n.js";
import { palette } from "../../core/theme.js";
import { html } from "../../lib/html.js";
import { formatNumber } from "../../lib/text.js";
import { tiling } from "./arrange.js";
import { reach } from "./model.js";
import { cssColour, tableIndex } from "./paint.js";
import { moveTo, useSize } from "./pictures.js";

const GAP = 2;
const MOST = 30;

/**
 * @param {{layer: import("./model.js").Layer, index: number, look: (looked: import("./network.js").Looked | null) => void}} props
 *   `index` counts hidden layers from 0.
 */
export function UnitGrid({ layer, index, look }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [current, setCurrent] = useState(0);
  const { width, height } = useSize(place);
  const { table, ink } = palette.value;
  const { columns, rows, side: room } = tiling(layer.size, width, height, GAP);
  const side = Math.max(1, Math.floor(Math.min(room, MOST)));
  const pitch = side + GAP;
  const size = { width: columns * pitch - GAP, height: rows * pitch - GAP };
  const unit = Math.min(current, layer.size - 1);
  const [marked, setMarked] = useState(false);

  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || width === 0) return;
    const ratio = devicePixelRatio || 1;
    context.canvas.width = Math.round(size.width * ratio);
    context.canvas.height = Math.round(size.height * ratio);
    context.scale(ratio, ratio);
    const most = reach(layer.activations);
    for (let at = 0; at < layer.size; at++) {
      const [x, y] = [(at % columns) * pitch, Math.floor(at / columns) * pitch];
      context.fillStyle = cssColour(table[tableIndex(layer.activations[at], most)]);
      context.beginPath();
      context.roundRect(x, y, side, side, Math.min(4, side / 4));
      context.fill();
      if (!marked || at !== unit) continue;
      context.strokeStyle = ink;
      context.lineWidth = 2;
      context.stroke();
    }
  }, [layer.activations, table, ink, size.width, size.height, columns, marked, unit]);

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
    <canvas ref=${canvas} style=${{ width: `${size.width}px`, height: `${size.height}px` }} tabindex="0" role="slider"
      aria-label=${t("digits.units_of", { layer: index + 1 })} aria-valuemin="1" aria-valuemax=${layer.size} aria-valuenow=${unit + 1}
      aria-valuetext=${t("digits.unit_value", { unit: unit + 1, value })} aria-orientation="horizontal" data-keys="arrows"
      onKeyDown=${onKeyDown} onFocus=${() => show(unit)} onBlur=${leave} onPointerMove=${onPointerMove} onPointerLeave=${leave}></canvas>
  </div>`;
}
