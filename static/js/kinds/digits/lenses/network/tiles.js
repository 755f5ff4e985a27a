/** Weights as pictures: of the ten digits, or of the units of the first hidden layer. */
import { useRef, useState } from "../../../../../vendor/preact/hooks.js";
import { t } from "../../../../core/i18n.js";
import { SIDE, largest } from "../../digit.js";
import { html } from "../../../../lib/html.js";
import { tiling } from "./arrange.js";
import { reach } from "../../model.js";
import { Bar, WeightPicture, moveTo, percentText, useSize } from "../../pictures.js";

/**
 * @typedef {import("./index.js").UnitsView} View
 * @typedef {import("../../model.js").Layer} Layer
 * @typedef {import("./index.js").Looked} Looked
 * @typedef {{view: View, looked: Looked | null, look: (looked: Looked | null) => void}} Looking
 */

const PIXELS = SIDE * SIDE;

/** Softmax regression: what speaks for and against each digit, with its probability. @param {Looking} props */
export function DigitTiles({ view, ...looking }) {
  const { activations } = view.output;
  const best = largest(activations);
  return html`<${Tiles} view=${view} ...${looking} count=${10} gap=${10} extra=${32} class="digits" label=${t("digits.weight_images")}
    chosen=${best}
    head=${(/** @type {number} */ digit) => html`<span class="digits-tile-head"><b>${digit}</b><span>${percentText(activations[digit])}</span></span>`}
    foot=${(/** @type {number} */ digit) => html`<${Bar} share=${activations[digit]} />`}
  />`;
}

/** The first hidden layer: what each unit looks for, and how strongly it answers. @param {Looking & {layer: Layer}} props */
export function UnitTiles({ view, layer, ...looking }) {
  const { count } = view.units;
  const most = reach(layer.activations);
  const share = (/** @type {number} */ unit) => layer.activations[unit] / most;
  return html`<${Tiles} view=${view} ...${looking} count=${count} gap=${5} extra=${5} most=${112} label=${t("digits.unit_images")}
      name=${(/** @type {number} */ unit) => t("digits.unit_image", { unit: unit + 1 })}
      foot=${(/** @type {number} */ unit) => html`<${Bar} share=${Math.abs(share(unit))} class=${share(unit) < 0 ? "negative" : ""} />`}
    />
    <${Shown} count=${count} size=${layer.size} />`;
}

/** How many of a layer's images are shown, and why not all. @param {{count: number, size: number}} props */
function Shown({ count, size }) {
  if (size <= count) return html`<p class="digits-shown"></p>`;
  const why = t("digits.units_shown_why", { n: size });
  return html`<p class="digits-shown muted" title=${why}><b>${t("digits.units_shown", { n: size, shown: count })}</b><span>${why}</span></p>`;
}

/**
 * Tiles as large as the room allows; one Tab stop, arrow keys move among them.
 * @param {Looking & {count: number, gap: number, extra: number, most?: number, label: string, class?: string,
 *   name?: (unit: number) => string, chosen?: number, head?: (unit: number) => any, foot?: (unit: number) => any}} props
 *   `extra`: pixels of a tile's head and foot. `most`: the largest side. Both as on a screen of 1366 x 768. `name`: for tiles whose head doesn't name them.
 */
function Tiles({
  view,
  looked,
  look,
  count,
  gap,
  extra,
  most = Infinity,
  label,
  class: style = "",
  name,
  chosen = -1,
  head,
  foot,
}) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const { width, height, unit: pixel } = useSize(place);
  const [current, setCurrent] = useState(0);
  const { columns, side } = tiling(count, width, height, gap * pixel, extra * pixel);

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    if (event.key === "Escape") return look(null);
    const next = moveTo(event.key, Math.min(current, count - 1), count, columns);
    if (next === null) return;
    event.preventDefault();
    /** @type {HTMLElement | null | undefined} */ (place.current?.querySelector(`[data-unit="${next}"]`))?.focus();
  }

  const tile = (/** @type {number} */ unit) => {
    const seen = (/** @type {Event} */ event) =>
      look({ layer: 0, unit, element: /** @type {Element} */ (event.currentTarget) });
    const unseen = () => look(null);
    const focus = (/** @type {Event} */ event) => {
      setCurrent(unit);
      seen(event);
    };
    return html`<button key=${unit} type="button" class=${`digits-tile ${unit === chosen ? "chosen" : ""}`} data-unit=${unit}
      tabindex=${unit === Math.min(current, count - 1) ? 0 : -1} aria-label=${name?.(unit)} aria-describedby=${looked?.layer === 0 && looked.unit === unit ? "digits-lens" : undefined}
      onClick=${seen} onFocus=${focus} onBlur=${unseen} onPointerEnter=${seen} onPointerLeave=${unseen}>
      ${head?.(unit)}
      <${WeightPicture} pixels=${view.units.pixels.subarray(unit * PIXELS, (unit + 1) * PIXELS)} />
      ${foot?.(unit)}
    </button>`;
  };

  const grid = {
    "--columns": String(columns),
    "--side": `${Math.floor(Math.min(side, most * pixel))}px`,
    "--gap": `${gap * pixel}px`,
  };
  return html`<div ref=${place} class=${`digits-tiles ${style}`} role="group" aria-label=${label} data-keys="arrows" onKeyDown=${onKeyDown}>
    <div class="digits-tiles-grid" style=${grid}>${width > 0 && Array.from({ length: count }, (_, unit) => tile(unit))}</div>
  </div>`;
}
