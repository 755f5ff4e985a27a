/** One unit large, in plain words: shown beside the tile that is pointed at or focused. */
import { useLayoutEffect, useRef } from "../../../../../vendor/preact/hooks.js";
import { t } from "../../../../core/i18n.js";
import { SIDE } from "../../digit.js";
import { html } from "../../../../lib/html.js";
import { besideThing } from "../../../../lib/placement.js";
import { formatNumber } from "../../../../lib/text.js";
import { useFrames } from "../../../../ui/live.js";
import { viewOf } from "../../model.js";
import { usePainter, weightPainter } from "../../painters.js";
import { Picture, percentText } from "../../pictures.js";

/**
 * @typedef {import("./index.js").Run} Run
 * @typedef {import("../../model.js").View & {units: import("../../model.js").UnitImages}} View
 * @typedef {import("./index.js").Looked} Looked
 */

const MARGIN = 8;
const REFRESH_MS = 150;
const PIXELS = SIDE * SIDE;

/** @param {{run: Run, looked: Looked}} props */
export function UnitCard({ run, looked }) {
  useFrames(run, REFRESH_MS);
  const card = useRef(/** @type {HTMLDivElement | null} */ (null));
  useLayoutEffect(() => {
    if (card.current) placeBeside(card.current, looked.element);
  }, [looked.element]);
  const { layer, unit } = looked;
  const view = run.frame && viewOf(run.frame);
  if (!hasUnits(view)) return null;
  const layers = view.hidden.length > 0 ? view.hidden : [view.output];
  if (unit >= (layers[layer]?.size ?? 0)) return null; // the layer was just made smaller, or taken away
  const pictured = layer === 0 && unit < view.units.count;
  const words = view.hidden.length === 0 ? digitWords(view, unit) : unitWords(view, layer, unit);
  return html`<div ref=${card} class="digits-card" id="digits-card" role="tooltip">
    ${pictured && html`<${UnitPicture} run=${run} unit=${unit} />`}
    <div>
      <b>${words.title}</b>
      ${words.text && html`<p>${words.text}</p>`}
      <dl>
        ${words.values.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
      </dl>
    </div>
  </div>`;
}

/** @param {import("../../model.js").View | null} view @returns {view is View} */
function hasUnits(view) {
  return Boolean(view?.units);
}

/** @param {{run: Run, unit: number}} props */
function UnitPicture({ run, unit }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  usePainter(
    run,
    canvas,
    (element) => {
      const paint = weightPainter(element);
      return ({ units }) => {
        if (units && unit < units.count) paint(units.pixels.subarray(unit * PIXELS, (unit + 1) * PIXELS));
      };
    },
    [unit],
  );
  return html`<${Picture} canvas=${canvas} />`;
}

/** @param {View} view @param {number} digit */
function digitWords(view, digit) {
  return {
    title: t("digits.card_digit", { digit }),
    text: t("digits.card_digit_text", { digit }),
    values: [
      [t("digits.card_weight"), `±${formatNumber(view.units.scale[digit], 3)}`],
      [t("digits.card_bias"), formatNumber(view.units.biases[digit], 3)],
      [t("digits.card_probability"), percentText(view.output.activations[digit])],
    ],
  };
}

/** @param {View} view @param {number} layer @param {number} unit */
function unitWords(view, layer, unit) {
  const first = layer === 0;
  const value = [t("digits.card_value"), formatNumber(view.hidden[layer].activations[unit], 3)];
  const weights = [
    [t("digits.card_weight"), `±${formatNumber(view.units.scale[unit], 3)}`],
    [t("digits.card_bias"), formatNumber(view.units.biases[unit], 3)],
  ];
  return {
    title: t("digits.card_unit", { unit: unit + 1, layer: layer + 1 }),
    text: first ? t("digits.card_unit_text") : "",
    values: first ? [...weights, value] : [value],
  };
}

/**
 * Beside the tile, on the side with more room, inside the panel.
 * @param {HTMLElement} card
 * @param {Element} element
 */
function placeBeside(card, element) {
  const panel = /** @type {HTMLElement} */ (card.parentElement).getBoundingClientRect();
  const tile = element.getBoundingClientRect();
  const thing = {
    left: tile.left - panel.left,
    right: tile.right - panel.left,
    top: tile.top - panel.top,
    bottom: tile.bottom - panel.top,
  };
  const { x, y } = besideThing({ width: card.offsetWidth, height: card.offsetHeight }, thing, panel, MARGIN);
  card.style.left = `${x}px`;
  card.style.top = `${y}px`;
}
