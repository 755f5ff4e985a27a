// The − n + above a hidden layer.
import { html } from "../lib/html.js";
import { fields } from "../core/describe.js";
import { t } from "../core/i18n.js";
import { isUsual, kindOfLayer, nextSize, sizeOf, withSize } from "../lib/layers.js";
import { Stepper } from "../ui/controls.js";

/**
 * @param {{run: import("../core/run.js").Run, index: number, compact?: boolean}} props
 * `index` counts hidden layers from 0. `compact`: little room, only the number.
 */
export function LayerHeader({ run, index, compact = false }) {
  const { layers } = run.settings.value;
  if (index >= layers.length) return null; // the frame still shows a layer that was just removed
  const field = fields(run.kind).layers;
  const kind = kindOfLayer(field, layers[index]);
  const usual = isUsual(field, layers[index]);
  const title = t(compact || !usual ? "network.layer_short" : "network.layer", { layer: index + 1 });
  const name = usual ? title : `${title} · ${t(kind.title)}`;
  return html`<div class="layer-header ${compact ? "compact" : ""}">
    <h3 title=${name}>${name}</h3>
    ${kind.short !== null && html`<${Size} run=${run} index=${index} short=${kind.short} compact=${compact} />`}
  </div>`;
}

/** @param {{run: import("../core/run.js").Run, index: number, short: string, compact: boolean}} props */
function Size({ run, index, short, compact }) {
  const { layers } = run.settings.value;
  const field = fields(run.kind).layers;
  const [size, limits] = [sizeOf(field, layers[index]), kindOfLayer(field, layers[index]).fields[short]];
  const [smaller, larger] = [nextSize(size, -1, limits, field.steps), nextSize(size, 1, limits, field.steps)];
  const resize = (/** @type {number | null} */ to) =>
    to !== null && run.set({ layers: withSize(field, layers, index, to) });
  const layer = { layer: index + 1 };
  return html`<${Stepper}
    text=${compact || short !== "units" ? String(size) : t("network.neurons", { n: size })}
    less=${t("network.less", layer)}
    more=${t("network.more", layer)}
    canLess=${smaller !== null}
    canMore=${larger !== null}
    onLess=${() => resize(smaller)}
    onMore=${() => resize(larger)}
  />`;
}
