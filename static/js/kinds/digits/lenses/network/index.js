/** The network of digits: the picture, the layers that it goes through, and the ten answers. */
import { useEffect, useRef, useState } from "../../../../../vendor/preact/hooks.js";
import { t } from "../../../../core/i18n.js";
import { pickOf } from "../../../../core/pick.js";
import { html } from "../../../../lib/html.js";
import { LayerHeader } from "../../../../page/layerheader.js";
import { useMore } from "../../../../ui/overflow.js";
import { UnitCard } from "./unitcard.js";
import { Probabilities, SubjectPicture, useSize } from "../../pictures.js";
import { DigitTiles, UnitTiles } from "./tiles.js";
import { UnitGrid } from "./units.js";

/**
 * @typedef {import("../../../../core/run.js").Run} Run
 * @typedef {import("../../model.js").Shape & {pictured: number}} Shape
 *
 * @typedef {object} Looked The unit under the pointer or the focus.
 * @property {number} layer 0 for the first layer after the inputs.
 * @property {number} unit
 * @property {Element} element Where it is.
 */

/** On a screen of 1366 pixels, input, output and the gaps take about this width; below ROOMY a hidden column has room for its number only. */
const ENDS = 232;
const ROOMY = 132;

export const help = ["digits.help_images", "digits.help_look"];
export const keys = [["↑ ↓ ← →", "digits.help_arrows"]];

/** @param {{run: Run, shape: import("../../model.js").Shape | null}} props `shape`: null before the first frame. */
export function Stage({ run, shape }) {
  return typeof shape?.pictured === "number"
    ? html`<${Network} run=${run} shape=${shape} />`
    : html`<section class="panel digits-network" aria-label=${t("digits.network")} aria-busy="true"></section>`;
}

/** @param {{run: Run, shape: Shape}} props */
function Network({ run, shape }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const { width, unit } = useSize(place);
  const [looked, look] = useLooked(run);
  const hidden = shape.sizes.slice(0, -1);
  const stacked = place.current !== null && getComputedStyle(place.current).flexDirection === "column";
  const compact = !stacked && (width - ENDS * unit) / (hidden.length + 1) < ROOMY * unit;
  const props = { run, shape, looked, look };
  return html`<section class="panel digits-network" aria-label=${t("digits.network")}>
    <div ref=${place} class=${`digits-columns layers-${Math.min(hidden.length, 3)}`}>
      <${Column} title=${t("digits.input")} note=${t("digits.input_note")} class="input">
        <${SubjectPicture} run=${run} label=${t("digits.input_label")} />
      <//>
      ${hidden.length > 0 && html`<${Hidden} compact=${compact} ...${props} />`}
      <${Column} title=${t("digits.output")} note=${t("digits.output_note")} class=${hidden.length === 0 ? "output digits" : "output"}>
        ${hidden.length === 0 ? html`<${DigitTiles} ...${props} />` : html`<${Probabilities} run=${run} label=${t("digits.probabilities")} />`}
      <//>
    </div>
    <${Legend} softmax=${hidden.length === 0} />
    ${looked && html`<${UnitCard} key=${`${looked.layer}-${looked.unit}`} looked=${looked} run=${run} />`}
  </section>`;
}

/**
 * The unit that is looked at, and a function that looks at another one: the page's other lenses see which it is.
 * @param {Run} run
 * @returns {[Looked | null, (looked: Looked | null) => void]}
 */
function useLooked(run) {
  const [looked, setLooked] = useState(/** @type {Looked | null} */ (null));
  const { hovered } = pickOf(run);
  useEffect(() => () => void (hovered.value = null), [run]);
  const look = (/** @type {Looked | null} */ next) => {
    setLooked(next);
    hovered.value = next && { what: "unit", layer: next.layer + 1, unit: next.unit };
  };
  return [looked, look];
}

/**
 * The hidden layers. Where they don't fit between the picture and the answers they scroll, and fade out
 * where there is more.
 * @param {{run: Run, shape: Shape, looked: Looked | null, look: (looked: Looked | null) => void, compact: boolean}} props
 */
function Hidden({ compact, ...props }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const { run, shape, look } = props;
  const hidden = shape.sizes.slice(0, -1);
  const more = useMore(place, hidden.length);
  return html`<div ref=${place} class=${`digits-hidden ${compact ? `compact ${more}` : ""}`}>
    ${hidden.map(
      (
        size,
        index,
      ) => html`<${Column} key=${index} class=${index === 0 ? "hidden first" : "hidden"} header=${html`<${LayerHeader} run=${run} index=${index} compact=${compact} />`}>
        ${index === 0 ? html`<${UnitTiles} ...${props} />` : html`<${UnitGrid} run=${run} look=${look} size=${size} index=${index} />`}
      <//>`,
    )}
  </div>`;
}

/** @param {{title?: string, note?: string, header?: any, class?: string, children?: any}} props */
function Column({ title, note, header, class: name = "", children }) {
  return html`<div class=${`digits-column ${name}`}>
    <div class="digits-column-head">${header ?? html`<h3>${title}</h3><p class="muted">${note}</p>`}</div>
    <div class="digits-column-body">${children}</div>
  </div>`;
}

/** What the colours mean. @param {{softmax: boolean}} props */
function Legend({ softmax }) {
  return html`<p class="digits-legend muted">
    <span>${t(softmax ? "digits.legend_against" : "digits.legend_lower")}</span>
    <i class="digits-scale" aria-hidden="true"></i>
    <span>${t(softmax ? "digits.legend_for" : "digits.legend_raise")}</span>
  </p>`;
}
