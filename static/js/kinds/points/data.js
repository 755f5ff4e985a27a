// The data panel: which points, how noisy, how many to train with.
import { useEffect, useRef } from "../../../vendor/preact/hooks.js";
import { html } from "../../lib/html.js";
import { fields } from "../../core/describe.js";
import { t } from "../../core/i18n.js";
import { palette } from "../../core/theme.js";
import { newSeed } from "../../lib/seed.js";
import { sampleCloud } from "./clouds.js";
import { DieButton, Panel, Slider } from "../../ui/controls.js";

/** @typedef {import("../../core/run.js").Run} Run */

/** @param {{run: Run}} props */
export function DataPanel({ run }) {
  const { data, noise, share, batch } = run.settings.value;
  const known = fields("points");
  const die = html`<${DieButton}
    label=${t("action.new_data")}
    onClick=${() => run.set({ data_seed: newSeed(known.data_seed.max) })}
  />`;
  const limits = (/** @type {string} */ name) => ({
    name,
    min: known[name].min,
    max: known[name].max,
    label: t(`setting.${name}`),
  });
  return html`<${Panel} title=${t("data.title")} class="data" actions=${die}>
    <div class="thumbs" role="group" aria-label=${t("setting.data")}>
      ${(known.data.choices ?? []).map(
        (kind) =>
          html`<${Thumb}
            key=${kind}
            kind=${String(kind)}
            chosen=${kind === data}
            onChoose=${() => run.set({ data: kind })}
          />`,
      )}
    </div>
    <div class="sliders">
      <${Slider}
        ...${limits("noise")}
        step=${0.05}
        value=${noise}
        text=${noise.toFixed(2)}
        onInput=${(/** @type {number} */ value) => run.set({ noise: value })}
      />
      <${Slider}
        ...${limits("share")}
        step=${0.1}
        value=${share}
        text=${`${Math.round(share * 100)} %`}
        onInput=${(/** @type {number} */ value) => run.set({ share: value })}
      />
      <${Slider}
        ...${limits("batch")}
        step=${1}
        value=${batch}
        text=${String(batch)}
        onInput=${(/** @type {number} */ value) => run.set({ batch: value })}
      />
    </div>
  <//>`;
}

/** @param {{kind: string, chosen: boolean, onChoose: () => void}} props */
function Thumb({ kind, chosen, onChoose }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const colours = palette.value;
  useEffect(() => {
    if (canvas.current) paintCloud(canvas.current, kind, colours);
  }, [kind, colours]);
  const name = t(`data.${kind}`);
  return html`<button
    type="button"
    class="thumb"
    aria-pressed=${chosen}
    aria-label=${name}
    title=${name}
    onClick=${onChoose}
  >
    <canvas ref=${canvas} width="144" height="144" aria-hidden="true"></canvas>
  </button>`;
}

/** @param {HTMLCanvasElement} canvas @param {string} kind @param {typeof palette.value} colours */
function paintCloud(canvas, kind, colours) {
  const context = canvas.getContext("2d");
  if (!context) return;
  const size = canvas.width;
  context.clearRect(0, 0, size, size);
  for (const { x, y, label } of sampleCloud(kind)) {
    context.fillStyle = label > 0 ? colours.fieldPositive : colours.fieldNegative;
    context.beginPath();
    context.arc(size * (0.5 + 0.46 * x), size * (0.5 - 0.46 * y), size * 0.021, 0, 2 * Math.PI);
    context.fill();
  }
}
