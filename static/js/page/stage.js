// The middle of every page: what the open lens shows, and the chips that open another one.
import { html } from "../lib/html.js";
import { kindOf } from "../core/describe.js";
import { t } from "../core/i18n.js";
import { lensOf, openLens } from "../core/lenses.js";
import { Segmented } from "../ui/controls.js";

/**
 * @param {{run: import("../core/run.js").Run, lens: import("../core/kinds.js").LensModule | null} & Record<string, any>} props
 *   `lens`: null while it is loaded. What else there is goes on to the lens's own Stage.
 */
export function Stage({ run, lens, ...props }) {
  return html`<div class="stage">
    <${Lenses} kind=${run.kind} />
    ${lens ? html`<${lens.Stage} run=${run} ...${props} />` : html`<section class="panel" aria-busy="true"></section>`}
  </div>`;
}

/** A kind's lenses to choose from, where it has several. @param {{kind: import("../core/describe.js").Kind}} props */
function Lenses({ kind }) {
  const { lenses } = kindOf(kind);
  if (lenses.length < 2) return null;
  const options = lenses.map(({ name, key, title }) => ({ value: name, label: t(title), keys: key }));
  return html`<div class="lenses">
    <${Segmented} label=${t("lens.choice")} value=${lensOf(kind)} options=${options} onChange=${(/** @type {string} */ name) => openLens(kind, name)} />
  </div>`;
}
