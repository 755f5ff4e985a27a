// The formula of one neuron with its live numbers; while it is pinned, each number can be edited.
import { html } from "../../../../lib/html.js";
import { t } from "../../../../core/i18n.js";
import { formatNumber } from "../../../../lib/text.js";
import { useFrames } from "../../../../ui/live.js";
import { INPUT_NAMES } from "../../look.js";
import { weightOffsets } from "./links.js";

/**
 * @typedef {import("../../look.js").Neuron} Neuron
 * @typedef {{source: number, weight: number}} Term
 */

const REFRESH_MS = 150;
const TERMS_SHOWN = 5;
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";

/** @param {{run: import("../../../../core/run.js").Run, look: import("../../look.js").Look, neuron: Neuron}} props */
export function Formula({ run, look, neuron }) {
  useFrames(run, REFRESH_MS);
  const found = termsOf(run, neuron);
  if (!found) return null;
  const pinned = look.keeps(neuron);
  const { inputs, activation } = run.settings.value;
  const last = neuron.layer === look.sizes.value.length - 1;
  const edit = (/** @type {number} */ source, /** @type {HTMLElement} */ from) => editAt(look, neuron, source, from);
  const shown = pinned ? found.terms : strongestTerms(found.terms);
  return html`<p class="formula ${pinned ? "pinned" : ""}" data-testid="formula">
    <span class="formula-terms"><span class="formula-head">${last ? t("network.output") : t("network.neuron_n", { layer: neuron.layer, n: neuron.unit + 1 })} = ${last ? t("formula.output") : t(`activation.${activation}`)}(</span>
    ${shown.map(
      ({ source, weight }, index) => html`<${Coefficient}
      key=${source}
      weight=${weight}
      first=${index === 0}
      name=${sourceName(neuron, source, inputs)}
      onEdit=${pinned ? edit : null}
      source=${source}
    />`,
    )}
    ${shown.length < found.terms.length && html`<span class="muted"> ${t("formula.more", { n: found.terms.length - shown.length })}</span>`}
    <${Coefficient} weight=${found.bias} first=${false} name=${null} onEdit=${pinned ? edit : null} source=${-1} />
    <span>)</span></span>${!pinned && html`<span class="muted formula-tip"> ${t("formula.pin")}</span>`}
  </p>`;
}

/** @param {{weight: number, first: boolean, name: string | null, source: number, onEdit: ((source: number, from: HTMLElement) => void) | null}} props */
function Coefficient({ weight, first, name, source, onEdit }) {
  const size = formatNumber(Math.abs(weight));
  const sign = weight < 0 ? "−" : first ? "" : "+";
  const label = t("formula.edit", { name: name ?? t("weight.bias"), value: formatNumber(weight) });
  const number = html`<span class=${weight < 0 ? "negative" : "positive"}>${size}</span>`;
  return html`<span class="term"> ${sign} ${
    onEdit
      ? html`<button
    type="button"
    class="number"
    aria-label=${label}
    title=${label}
    onClick=${(/** @type {any} */ event) => onEdit(source, event.currentTarget)}
  >${number}</button>`
      : number
  }${name && html`<span class="math">·${name}</span>`}</span>`;
}

/** @param {import("../../../../core/run.js").Run} run @param {Neuron} neuron @returns {{terms: Term[], bias: number} | null} */
function termsOf(run, neuron) {
  const { layers, weights, biases } = run.frame?.sections ?? {};
  if (!layers || !weights || neuron.layer === 0 || neuron.layer >= layers.data.length) return null;
  const sizes = layers.data;
  const start = weightOffsets(sizes)[neuron.layer - 1];
  const terms = Array.from({ length: sizes[neuron.layer - 1] }, (_, source) => ({
    source,
    weight: weights.data[start + source * sizes[neuron.layer] + neuron.unit],
  }));
  let at = neuron.unit;
  for (let layer = 1; layer < neuron.layer; layer++) at += sizes[layer];
  return { terms, bias: biases ? biases.data[at] : 0 };
}

/** The few that matter most, in their order. @param {Term[]} terms */
function strongestTerms(terms) {
  if (terms.length <= TERMS_SHOWN) return terms;
  const chosen = [...terms].sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight)).slice(0, TERMS_SHOWN);
  return chosen.sort((a, b) => a.source - b.source);
}

/** @param {Neuron} neuron @param {number} source @param {string[]} inputs */
function sourceName(neuron, source, inputs) {
  if (neuron.layer === 1) return INPUT_NAMES[inputs[source]] ?? "";
  return `n${[...String(source + 1)].map((digit) => SUBSCRIPTS[Number(digit)]).join("")}`;
}

/**
 * Open the editor near the neuron whose number was pressed.
 * @param {import("../../look.js").Look} look @param {Neuron} neuron @param {number} source @param {HTMLElement} from
 */
function editAt(look, neuron, source, from) {
  const field = document.querySelector(".network .wires");
  if (!field) return;
  const [box, button] = [field.getBoundingClientRect(), from.getBoundingClientRect()];
  const place = { x: button.left + button.width / 2 - box.left, y: Math.min(box.height, button.top - box.top) - 8 };
  look.editing.value = { layer: neuron.layer, source, target: neuron.unit, ...place };
}
