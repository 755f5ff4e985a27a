/** Weights as pictures: of the ten digits, or of the units of the first hidden layer. */
import { useRef, useState } from "../../../../../vendor/preact/hooks.js";
import { t } from "../../../../core/i18n.js";
import { SIDE, largest } from "../../digit.js";
import { html } from "../../../../lib/html.js";
import { sameValue } from "../../../../lib/settings.js";
import { tiling } from "./arrange.js";
import { reach } from "../../model.js";
import { barPainter, textPainter, usePainter, weightPainter } from "../../painters.js";
import { Bar, Picture, moveTo, percentText, useSize } from "../../pictures.js";

/**
 * @typedef {import("../../model.js").View} View
 * @typedef {import("./index.js").Looked} Looked
 * @typedef {{run: import("./index.js").Run, shape: import("./index.js").Shape, looked: Looked | null, look: (looked: Looked | null) => void}} Looking
 *
 * @typedef {object} Answers What the units say to the picture that is looked at.
 * @property {Float32Array} values
 * @property {number} most The value that a full bar stands for.
 * @property {number} chosen The unit whose value is the answer; -1 for none.
 */

const PIXELS = SIDE * SIDE;

/** Softmax regression: what speaks for and against each digit, with its probability. @param {Looking} props */
export function DigitTiles(props) {
  return html`<${Tiles} ...${props} answers=${digitAnswers} count=${10} gap=${10} extra=${32} class="digits" label=${t("digits.weight_images")}
    head=${(/** @type {number} */ digit) => html`<span class="digits-tile-head"><b>${digit}</b><span></span></span>`}
  />`;
}

/** The first hidden layer: what each unit looks for, and how strongly it answers. @param {Looking} props */
export function UnitTiles(props) {
  const { pictured, sizes } = props.shape;
  return html`<${Tiles} ...${props} answers=${unitAnswers} count=${pictured} gap=${5} extra=${5} most=${112} label=${t("digits.unit_images")}
      name=${(/** @type {number} */ unit) => t("digits.unit_image", { unit: unit + 1 })}
    />
    <${Shown} count=${pictured} size=${sizes[0]} />`;
}

/** @param {View} view @returns {Answers} */
function digitAnswers({ output: { activations } }) {
  return { values: activations, most: 1, chosen: largest(activations) };
}

/** @param {View} view @returns {Answers} */
function unitAnswers({ hidden: [{ activations }] }) {
  return { values: activations, most: reach(activations), chosen: -1 };
}

/** How many of a layer's images are shown, and why not all. @param {{count: number, size: number}} props */
function Shown({ count, size }) {
  if (size <= count) return html`<p class="digits-shown"></p>`;
  const why = t("digits.units_shown_why", { n: size });
  return html`<p class="digits-shown muted" title=${why}><b>${t("digits.units_shown", { n: size, shown: count })}</b><span>${why}</span></p>`;
}

/**
 * Tiles as large as the room allows; one Tab stop, arrow keys move among them.
 * @param {Looking & {answers: (view: View) => Answers, count: number, gap: number, extra: number, most?: number, label: string,
 *   class?: string, name?: (unit: number) => string, head?: (unit: number) => any}} props
 *   `extra`: pixels of a tile's head and foot. `most`: the largest side. Both as on a screen of 1366 x 768. `name`: for tiles whose head doesn't name them.
 */
function Tiles({
  run,
  shape,
  answers,
  looked,
  look,
  count,
  gap,
  extra,
  most = Infinity,
  label,
  class: style = "",
  name,
  head,
}) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const { width, height, unit: pixel } = useSize(place);
  const [current, setCurrent] = useState(0);
  const { columns, side } = tiling(count, width, height, gap * pixel, extra * pixel);
  const laidOut = width > 0;
  usePainter(
    run,
    place,
    (element) => {
      const tiles = [...element.querySelectorAll(".digits-tile")].map(tilePainter);
      return (view) => {
        if (!shows(view, shape)) return;
        const answered = answers(view);
        for (const [unit, paint] of tiles.entries()) paint(view, answered, unit);
      };
    },
    [shape.sizes, shape.pictured, laidOut],
  );

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
    return html`<button key=${unit} type="button" class="digits-tile" data-unit=${unit}
      tabindex=${unit === Math.min(current, count - 1) ? 0 : -1} aria-label=${name?.(unit)} aria-describedby=${looked?.layer === 0 && looked.unit === unit ? "digits-card" : undefined}
      onClick=${seen} onFocus=${focus} onBlur=${unseen} onPointerEnter=${seen} onPointerLeave=${unseen}>
      ${head?.(unit)}
      <${Picture} />
      <${Bar} />
    </button>`;
  };

  const grid = {
    "--columns": String(columns),
    "--side": `${Math.floor(Math.min(side, most * pixel))}px`,
    "--gap": `${gap * pixel}px`,
  };
  return html`<div ref=${place} class=${`digits-tiles ${style}`} role="group" aria-label=${label} data-keys="arrows" onKeyDown=${onKeyDown}>
    <div class="digits-tiles-grid" style=${grid}>${laidOut && Array.from({ length: count }, (_, unit) => tile(unit))}</div>
  </div>`;
}

/** Whether a frame is of the network that the page shows: one of another shape comes shortly before its tiles. @param {View} view @param {Looking["shape"]} shape */
function shows({ hidden, output, units }, { sizes, pictured }) {
  return (
    units?.count === pictured &&
    sameValue(
      [...hidden, output].map(({ size }) => size),
      sizes,
    )
  );
}

/** The weights of a unit, and what it says. @param {Element} tile As Tiles makes it. */
function tilePainter(tile) {
  const picture = weightPainter(/** @type {HTMLCanvasElement} */ (tile.querySelector("canvas")));
  const bar = /** @type {Element} */ (tile.querySelector(".digits-bar"));
  const length = barPainter(bar);
  const share = tile.querySelector(".digits-tile-head span");
  const text = share && textPainter(share);
  /** @param {View} view @param {Answers} answers @param {number} unit */
  return ({ units }, { values, most, chosen }, unit) => {
    if (units) picture(units.pixels.subarray(unit * PIXELS, (unit + 1) * PIXELS));
    length(Math.abs(values[unit] / most));
    bar.classList.toggle("negative", values[unit] < 0);
    text?.(percentText(values[unit]));
    tile.classList.toggle("chosen", unit === chosen);
  };
}
