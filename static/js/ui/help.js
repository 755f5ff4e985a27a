// What is what on the page, and the list of keys; opened with "?".
import { useEffect, useRef } from "../../vendor/preact/hooks.js";
import { html } from "../lib/html.js";
import { t } from "../core/i18n.js";
import { kindOf } from "../core/describe.js";
import { kindModule, lensModule } from "../core/kinds.js";
import { runOf } from "../core/runs.js";
import { IDLE } from "../core/state.js";
import { helpOpen } from "../core/shortcuts.js";
import { page } from "../core/url.js";
import { IconButton } from "./controls.js";

/** What every page has, below what a kind says of its own. */
const TEXTS = ["help.curve", "help.address"];

/** @type {[string, string][]} */
const KEYS = [
  ["Space", "help.play"],
  ["→", "help.step"],
  ["R", "help.reset"],
  ["Ctrl Z", "help.undo"],
  ["Ctrl Shift Z", "help.redo"],
];

/** @type {[string, string]} */
const LAST_KEY = ["?", "help.help"];

/** @typedef {import("../core/state.js").RunStatus} RunStatus */

/** The badge's text; the server speaks English. @param {RunStatus} status */
export function executorName({ executor, machine }) {
  const name = executor.replace(/(\d+) cores$/, (_, count) => t("executor.cores", { count }));
  return machine === "compiling" ? t("executor.until_compiled", { name }) : name;
}

/** Sentences on what computes the network ("CPU · NumPy" …) and what the words mean. @param {RunStatus} status */
export function executorWords({ executor, machine, problem }) {
  if (!executor) return [];
  const kind = executor.startsWith("GPU") ? "gpu" : executor.includes("native") ? "native" : "numpy";
  const news = machine ? [t(`executor.${machine}`, { problem })] : [];
  return [t(`executor.${kind}`), ...news, t("executor.words")];
}

/** The keys of a kind's lenses, where it has several. @param {string} kind @returns {[string, string][]} */
function lensKeys(kind) {
  const { lenses } = kindOf(kind);
  return lenses.length > 1 ? [[lenses.map(({ key }) => key).join(" "), "help.lenses"]] : [];
}

export function HelpDialog() {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const open = helpOpen.value;
  const status = runOf(page.value)?.status.value ?? IDLE;
  useEffect(() => {
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open && dialog.current?.open) dialog.current.close();
  }, [open]);
  const parts = [lensModule(page.value), kindModule(page.value)];
  const texts = parts.flatMap((part) => part?.help ?? []);
  const keys = [...KEYS, ...lensKeys(page.value), ...parts.flatMap((part) => part?.keys ?? []), LAST_KEY];
  const close = () => {
    helpOpen.value = false;
  };
  return html`<dialog
    class="dialog help"
    ref=${dialog}
    aria-labelledby="help-title"
    onClose=${close}
    onClick=${(/** @type {any} */ event) => event.target === dialog.current && close()}
  >
    <div class="dialog-head">
      <h2 id="help-title">${t("help.title")}</h2>
      <${IconButton} icon="close" label=${t("action.close")} onClick=${close} />
    </div>
    <div class="help-columns">
      <section>
        <h3>${t("help.what")}</h3>
        <ul class="help-texts">${[...texts, ...TEXTS].map((key) => html`<li>${t(key)}</li>`)}${
          status.executor && html`<li>${executorWords(status).join(" ")}</li>`
        }</ul>
      </section>
      <section>
        <h3>${t("help.keys")}</h3>
        <dl class="keys">
          ${keys.map(([names, text]) => html`<div><dt>${names.split(" ").map((name) => html`<kbd>${name}</kbd> `)}</dt><dd>${t(text)}</dd></div>`)}
        </dl>
      </section>
    </div>
  </dialog>`;
}
