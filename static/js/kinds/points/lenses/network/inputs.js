// The seven inputs as switches: those in use stand left of their neuron, the others below.
import { html } from "../../../../lib/html.js";
import { fields } from "../../../../core/describe.js";
import { t } from "../../../../core/i18n.js";
import { INPUT_NAMES } from "../../look.js";

const COLUMNS = 2;

/** @param {boolean} touch */
function chipSize(touch) {
  return touch ? { width: 46, height: 44, gap: 4, margin: 3 } : { width: 46, height: 24, gap: 4, margin: 8 };
}

/** Height that the switched-off inputs need below the others. @param {number} used @param {boolean} touch */
export function inputsBelow(used, touch) {
  const rest = (fields("points").inputs.item?.choices ?? []).length - used;
  const { height, gap } = chipSize(touch);
  return rest > 0 ? Math.ceil(rest / COLUMNS) * (height + gap) + 10 : 0;
}

/** @param {{run: import("../../../../core/run.js").Run, layout: import("./layout.js").Layout, inputs: string[], touch: boolean}} props */
export function InputToggles({ run, layout, inputs, touch }) {
  const all = (fields("points").inputs.item?.choices ?? []).map(String);
  const { width, height, gap, margin } = chipSize(touch);
  const rest = all.filter((name) => !inputs.includes(name));
  const top = (layout.y[0].at(-1) ?? 0) + Math.max(layout.pitch, height) / 2 + 10;
  const toggle = (/** @type {string} */ name) => {
    const on = inputs.includes(name);
    if (on && inputs.length === 1) return;
    run.set({ inputs: all.filter((one) => (one === name ? !on : inputs.includes(one))) });
  };
  const place = (/** @type {string} */ name) => {
    const row = inputs.indexOf(name);
    if (row >= 0 && row < layout.y[0].length)
      return { left: Math.max(2, layout.x[0] - layout.tile / 2 - width - 4), top: layout.y[0][row] - height / 2 };
    const at = rest.indexOf(name);
    return { left: margin + (at % COLUMNS) * (width + gap), top: top + Math.floor(at / COLUMNS) * (height + gap) };
  };
  return html`<div class="inputs" role="group" aria-label=${t("network.inputs")}>
    ${all.map((name) => {
      const on = inputs.includes(name);
      const { left, top: y } = place(name);
      const last = on && inputs.length === 1;
      const key = last ? "network.input_last" : on ? "network.input_off" : "network.input_on";
      const label = t(key, { name: INPUT_NAMES[name] ?? name });
      return html`<button
        type="button"
        key=${name}
        class="input-chip"
        data-input=${name}
        aria-pressed=${on}
        aria-disabled=${last}
        aria-label=${label}
        title=${label}
        style=${{ left: `${left}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` }}
        onClick=${() => toggle(name)}
      ><${MathName} name=${name} /></button>`;
    })}
  </div>`;
}

/** An input's name as mathematics is printed. @param {{name: string}} props */
function MathName({ name }) {
  const text = INPUT_NAMES[name] ?? name;
  return html`<span class="math">${text.startsWith("sin ") ? html`<span class="upright">sin </span>${text.slice(4)}` : text}</span>`;
}
