// The row of controls above every kind of page: reset, play, step, epoch, what is learned how, layers.
import { html } from "../lib/html.js";
import { fields, kindOf } from "../core/describe.js";
import { locale, t } from "../core/i18n.js";
import { withLayer } from "../lib/layers.js";
import { newSeed } from "../lib/seed.js";
import { epochText, shortNumber } from "../lib/text.js";
import { Button, DieButton, IconButton, Select } from "../ui/controls.js";
import { Icon } from "../ui/icons.js";

/** @typedef {import("../core/run.js").Run} Run */

const RATES = [0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 1, 3, 10];
const REGULARIZATION_RATES = [0, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

/** @param {{run: Run}} props */
export function Toolbar({ run }) {
  const { playing } = run.status.value;
  return html`<div class="toolbar" role="toolbar" aria-label=${t("toolbar.name")}>
    <div class="toolbar-play">
      <${IconButton} icon="reset" label=${t("action.reset")} keys="R" onClick=${() => run.reset()} />
      <button
        type="button"
        class="play"
        aria-keyshortcuts="Space"
        title=${`${t(playing ? "action.pause" : "action.play")} (Space)`}
        onClick=${() => (playing ? run.pause() : run.play())}
      >
        <${Icon} name=${playing ? "pause" : "play"} size=${18} /><span>${t(playing ? "action.pause" : "action.play")}</span>
      </button>
      <${IconButton} icon="step" label=${t("action.step")} keys="→" onClick=${() => run.step()} />
      <${Epoch} run=${run} />
    </div>
    <div class="toolbar-fields">
      <${NumberSelect} run=${run} name="rate" choices=${RATES} />
      <${ChoiceSelect} run=${run} name="activation" />
      <${ChoiceSelect} run=${run} name="optimizer" />
      <${ChoiceSelect} run=${run} name="regularization" />
      ${
        run.settings.value.regularization !== "none" &&
        html`<${NumberSelect}
        run=${run}
        name="regularization_rate"
        choices=${REGULARIZATION_RATES}
      />`
      }
      <${ChoiceSelect} run=${run} name="speed" />
    </div>
    <${LayerButtons} run=${run} />
  </div>`;
}

/** @param {{run: Run}} props */
function Epoch({ run }) {
  return html`<div class="epoch"><span class="field-label">${t("toolbar.epoch")}</span><span
    class="epoch-number"
    data-testid="epoch"
  >${epochText(run.epoch.value, locale.value)}</span></div>`;
}

/** A setting of few choices, as the server lists them. @param {{run: Run, name: string}} props */
function ChoiceSelect({ run, name }) {
  const choices = fields(run.kind)[name].choices ?? [];
  const options = choices.map((choice) => ({
    value: String(choice),
    label: choiceText(run.kind, name, String(choice)),
  }));
  return html`<${Select}
    label=${t(`setting.${name}`)}
    name=${name}
    value=${run.settings.value[name]}
    options=${options}
    onChange=${(/** @type {string} */ value) => run.set({ [name]: value })}
  />`;
}

/** @param {string} kind @param {string} name @param {string} choice */
function choiceText(kind, name, choice) {
  return t(`${name}.${choice}`, name === "speed" ? { n: kindOf(kind).pace[choice] ?? 0 } : {});
}

/** A number picked from handy ones; a value from the address is listed too. @param {{run: Run, name: string, choices: number[]}} props */
function NumberSelect({ run, name, choices }) {
  const { min = -Infinity, max = Infinity } = fields(run.kind)[name];
  const value = run.settings.value[name];
  const listed = [...new Set([...choices, value])].filter((one) => one >= min && one <= max).sort((a, b) => a - b);
  const options = listed.map((one) => ({ value: String(one), label: shortNumber(one) }));
  return html`<${Select}
    label=${t(`setting.${name}`)}
    name=${name}
    value=${String(value)}
    options=${options}
    onChange=${(/** @type {string} */ text) => run.set({ [name]: Number(text) })}
  />`;
}

/** @param {{run: Run}} props */
function LayerButtons({ run }) {
  const { layers } = run.settings.value;
  const { undo, redo } = run.undoable.value;
  const field = fields(run.kind).layers;
  const seed = () => run.set({ weight_seed: newSeed(fields(run.kind).weight_seed.max) });
  return html`<div class="toolbar-layers">
    <span class="toolbar-undo">
      <${IconButton} icon="undo" label=${t("action.undo")} keys="Control+Z" disabled=${!undo} onClick=${() => run.undo()} />
      <${IconButton} icon="redo" label=${t("action.redo")} keys="Control+Shift+Z" disabled=${!redo} onClick=${() => run.redo()} />
    </span>
    <${DieButton} label=${t("action.new_weights")} onClick=${seed} />
    <${Button}
      label=${t("action.remove_layer")}
      disabled=${layers.length === 0}
      onClick=${() => run.set({ layers: layers.slice(0, -1) })}
    >− ${t("action.layer")}<//>
    <${Button}
      label=${t("action.add_layer")}
      disabled=${layers.length >= (field.max_length ?? Infinity)}
      onClick=${() => run.set({ layers: withLayer(field, layers) })}
    >+ ${t("action.layer")}<//>
  </div>`;
}
