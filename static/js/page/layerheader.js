// The − n + above a hidden layer.
import { html } from "../lib/html.js";
import { fields } from "../core/describe.js";
import { t } from "../core/i18n.js";
import { nextSize, withSize } from "../lib/layers.js";
import { Stepper } from "../ui/controls.js";

/**
 * @param {{run: import("../core/run.js").Run, index: number, compact?: boolean}} props
 * `index` counts hidden layers from 0. `compact`: little room, only the number.
 */
export function LayerHeader({ run, index, compact = false }) {
  const { hidden } = run.settings.value;
  const size = hidden[index];
  if (size === undefined) return null; // the frame still shows a layer that was just removed
  const limits = fields(run.kind).hidden.item ?? {};
  const [smaller, larger] = [nextSize(run.kind, size, -1, limits), nextSize(run.kind, size, 1, limits)];
  const resize = (/** @type {number | null} */ to) => to !== null && run.set({ hidden: withSize(hidden, index, to) });
  const layer = { layer: index + 1 };
  return html`<div class="layer-header ${compact ? "compact" : ""}">
    <h3>${t(compact ? "network.layer_short" : "network.layer", layer)}</h3>
    <${Stepper}
      text=${compact ? String(size) : t("network.neurons", { n: size })}
      less=${t("network.less", layer)}
      more=${t("network.more", layer)}
      canLess=${smaller !== null}
      canMore=${larger !== null}
      onLess=${() => resize(smaller)}
      onMore=${() => resize(larger)}
    />
  </div>`;
}
