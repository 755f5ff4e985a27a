// Controls that every kind of page uses. Each has a name for a screen reader and works from the keyboard.
import { useId } from "../../vendor/preact/hooks.js";
import { html } from "../lib/html.js";
import { Icon } from "./icons.js";

/**
 * @typedef {import("../lib/html.js").Node} Node
 * @typedef {{value: string, label: string, disabled?: boolean, keys?: string}} Option `keys`: of the keyboard.
 */

/**
 * @param {{onClick: (event: Event) => void, children?: any, kind?: "primary" | "plain" | "quiet", disabled?: boolean, label?: string, title?: string, pressed?: boolean, class?: string}} props
 */
export function Button({ onClick, children, kind = "plain", disabled, label, title, pressed, class: extra = "" }) {
  return html`<button
    type="button"
    class="button ${kind} ${extra}"
    disabled=${disabled}
    aria-label=${label}
    title=${title ?? label}
    aria-pressed=${pressed}
    onClick=${onClick}
  >${children}</button>`;
}

/** @param {{icon: import("./icons.js").IconName, label: string, onClick: () => void, disabled?: boolean, keys?: string}} props */
export function IconButton({ icon, label, onClick, disabled, keys }) {
  return html`<button
    type="button"
    class="icon-button"
    disabled=${disabled}
    aria-label=${label}
    aria-keyshortcuts=${keys}
    title=${keys ? `${label} (${keys})` : label}
    onClick=${onClick}
  ><${Icon} name=${icon} /></button>`;
}

/** A die with its name beside it. @param {{label: string, onClick: () => void}} props */
export function DieButton({ label, onClick }) {
  return html`<button type="button" class="button quiet die" aria-label=${label} title=${label} onClick=${onClick}>
    <${Icon} name="die" /><span class="die-text">${label}</span>
  </button>`;
}

/** @param {{label: string, value: string, options: Option[], onChange: (value: string) => void, disabled?: boolean, name?: string}} props */
export function Select({ label, value, options, onChange, disabled, name }) {
  return html`<label class="field">
    <span class="field-label">${label}</span>
    <span class="select"
      ><select name=${name} value=${value} disabled=${disabled} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.value)}>
        ${options.map(
          (option) => html`<option
          value=${option.value}
          selected=${option.value === value}
          disabled=${option.disabled}
        >${option.label}</option>`,
        )}
      </select></span
    >
  </label>`;
}

/**
 * @param {{label: string, value: number, min: number, max: number, step: number, onInput: (value: number) => void, text?: string, name?: string}} props
 * `text`: the value for people, e.g. "60 %".
 */
export function Slider({ label, value, min, max, step, onInput, text, name }) {
  const shown = text ?? String(value);
  const filled = `${(100 * (value - min)) / (max - min)}%`;
  return html`<label class="slider">
    <span class="slider-head"><span>${label}</span><output>${shown}</output></span>
    <input
      type="range"
      name=${name}
      aria-label=${label}
      aria-valuetext=${shown}
      min=${min}
      max=${max}
      step=${step}
      value=${value}
      style=${{ "--filled": filled }}
      onInput=${(/** @type {any} */ event) => onInput(Number(event.currentTarget.value))}
    />
  </label>`;
}

/**
 * − value +
 * @param {{text: string, less: string, more: string, onLess: () => void, onMore: () => void, canLess: boolean, canMore: boolean}} props
 * `less` and `more` name the two buttons.
 */
export function Stepper({ text, less, more, onLess, onMore, canLess, canMore }) {
  return html`<span class="stepper">
    <button
      type="button"
      class="round"
      aria-label=${less}
      title=${less}
      aria-disabled=${!canLess}
      onClick=${() => canLess && onLess()}
    >−</button>
    <span class="stepper-text">${text}</span>
    <button
      type="button"
      class="round"
      aria-label=${more}
      title=${more}
      aria-disabled=${!canMore}
      onClick=${() => canMore && onMore()}
    >+</button>
  </span>`;
}

/** One choice of few. @param {{label: string, value: string, options: Option[], onChange: (value: string) => void}} props */
export function Segmented({ label, value, options, onChange }) {
  const name = useId();
  return html`<fieldset class="segmented" role="radiogroup" aria-label=${label}>
    ${options.map(
      (
        option,
      ) => html`<label class=${option.value === value ? "chosen" : ""} title=${option.keys && `${option.label} (${option.keys})`}>
        <input
          type="radio"
          name=${name}
          value=${option.value}
          checked=${option.value === value}
          disabled=${option.disabled}
          aria-keyshortcuts=${option.keys}
          onChange=${() => onChange(option.value)}
        />
        <span>${option.label}</span>
      </label>`,
    )}
  </fieldset>`;
}

/** @param {{label: string, checked: boolean, onChange: (checked: boolean) => void, name?: string}} props */
export function Checkbox({ label, checked, onChange, name }) {
  return html`<label class="checkbox"
    ><input type="checkbox" name=${name} checked=${checked} onChange=${(/** @type {any} */ event) => onChange(event.currentTarget.checked)} /><span>${label}</span></label
  >`;
}

/** A white box of the page with a heading. @param {{title: string, class?: string, actions?: any, children?: any}} props */
export function Panel({ title, class: extra = "", actions, children }) {
  const id = useId();
  return html`<section class="panel ${extra}" aria-labelledby=${id}>
    <div class="panel-head"><h2 id=${id}>${title}</h2>${actions}</div>
    ${children}
  </section>`;
}
