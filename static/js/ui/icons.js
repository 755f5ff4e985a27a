// The page's few icons, drawn on a 20x20 grid in the text's colour.
import { html } from "../lib/html.js";

const PATHS = {
  play: html`<path d="M5 3.2v13.6L16.5 10z" fill="currentColor" stroke="none" />`,
  pause: html`<path d="M5 3.5h3.5v13H5zM11.5 3.5H15v13h-3.5z" fill="currentColor" stroke="none" />`,
  step: html`<path d="M4 3.8v12.4L13 10z" fill="currentColor" stroke="none" /><path d="M15.5 3.8v12.4" />`,
  reset: html`<path d="M4.2 8.2A6.2 6.2 0 1 1 3.8 11" /><path d="M3.6 4.2v4.3h4.3" />`,
  theme: html`<circle cx="10" cy="10" r="6.8" /><path
    d="M10 3.2a6.8 6.8 0 0 1 0 13.6z"
    fill="currentColor"
    stroke="none"
  />`,
  help: html`<circle cx="10" cy="10" r="7.2" /><path
    d="M7.8 7.8a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6"
  /><path d="M10 13.9v.2" />`,
  die: html`<rect x="3" y="3" width="14" height="14" rx="3.2" />
    ${[
      [7, 7],
      [13, 7],
      [10, 10],
      [7, 13],
      [13, 13],
    ].map(([x, y]) => html`<circle cx=${x} cy=${y} r="1.25" fill="currentColor" stroke="none" />`)}`,
  undo: html`<path d="M7.2 4.2L3.6 7.8l3.6 3.6" /><path d="M4 7.8h7.4a4.3 4.3 0 0 1 0 8.6H7.6" />`,
  redo: html`<path d="M12.8 4.2l3.6 3.6-3.6 3.6" /><path d="M16 7.8H8.6a4.3 4.3 0 0 0 0 8.6h3.8" />`,
  close: html`<path d="M5.5 5.5l9 9M14.5 5.5l-9 9" />`,
};

/** @typedef {keyof typeof PATHS} IconName */

/** @param {{name: IconName, size?: number}} props */
export function Icon({ name, size = 20 }) {
  return html`<svg
    class="icon"
    viewBox="0 0 20 20"
    width=${size}
    height=${size}
    aria-hidden="true"
    fill="none"
    stroke="currentColor"
    stroke-width="1.7"
    stroke-linecap="round"
    stroke-linejoin="round"
  >${PATHS[name]}</svg>`;
}
