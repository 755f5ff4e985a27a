// What stands above the panels when something is wrong: a refusal, a broken address, a diverged loss.
import { html } from "../lib/html.js";
import { fields } from "../core/describe.js";
import { locale, t } from "../core/i18n.js";
import { findings } from "../core/url.js";
import { explainFaults } from "../lib/explain.js";
import { shortNumber } from "../lib/text.js";
import { Button } from "../ui/controls.js";
import { Banner } from "../ui/messages.js";

/** @typedef {import("../core/run.js").Run} Run */

/** @param {{run: Run}} props */
export function Problems({ run }) {
  const problem = run.problem.value;
  return html`<${Address} kind=${run.kind} /><${Diverged} run=${run} />
    ${problem && html`<${Banner} kind="problem" onClose=${() => (run.problem.value = null)}>${problem.sentence}<//>`}`;
}

/** What is to be said about the address, all of it in one banner. @param {{kind: import("../core/describe.js").Kind}} props */
function Address({ kind }) {
  const { kind: of, faults, playground } = findings.value;
  if (of !== kind || (faults.length === 0 && !playground)) return null;
  const close = () => (findings.value = { kind, faults: [], playground: false });
  if (playground) return html`<${Banner} kind="hint" onClose=${close}>${t("address.playground")}<//>`;
  const sentences = explainFaults(faults, fields(kind), t);
  return html`<${Banner} kind="problem" onClose=${close}>
    ${t("fault.address")} ${sentences.map((sentence) => html`<span class="sentence">${sentence} </span>`)}
    ${t("fault.defaults_used")}
  <//>`;
}

/** @param {{run: Run}} props */
function Diverged({ run }) {
  const { reason, step } = run.status.value;
  if (reason !== "diverged") return null;
  const { min = 0 } = fields(run.kind).rate;
  const { rate } = run.settings.value;
  return html`<${Banner}
    kind="problem"
    action=${html`<${Button} onClick=${() => run.recover()}>${t("diverged.recover")}<//>`}
  >
    ${t("diverged.what", { step: step.toLocaleString(locale.value) })} ${rate > min ? t("diverged.why", { rate: shortNumber(rate) }) : ""}
  <//>`;
}
