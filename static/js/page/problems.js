// What stands above the panels when something is wrong: a refusal, a broken address, a diverged loss.
import { html } from "../lib/html.js";
import { fields } from "../core/describe.js";
import { known, locale, t } from "../core/i18n.js";
import { refusal } from "../core/stream.js";
import { addressFields, findings } from "../core/url.js";
import { explainFaults, explainProblem } from "../lib/explain.js";
import { shortNumber } from "../lib/text.js";
import { Button } from "../ui/controls.js";
import { Banner } from "../ui/messages.js";

/** @typedef {import("../core/run.js").Run} Run */

/** @param {{run: Run}} props */
export function Problems({ run }) {
  const problem = run.problem.value;
  const close = () => (run.problem.value = null);
  return html`<${Refused} /><${Address} kind=${run.kind} /><${Diverged} run=${run} />
    ${problem && html`<${Banner} kind="problem" onClose=${close}>${explainProblem(problem, t, known, problem.sent, fields(run.kind))}<//>`}`;
}

/** The server doesn't let this page in. */
function Refused() {
  const problem = refusal.value;
  if (!problem) return null;
  const key = `error.${problem.code}`;
  return html`<${Banner}
    kind="problem"
    action=${html`<${Button} onClick=${() => location.reload()}>${t("action.reload")}<//>`}
  >${known(key) ? t(key) : problem.message}<//>`;
}

/** What is to be said about the address, all of it in one banner. @param {{kind: import("../core/describe.js").Kind}} props */
function Address({ kind }) {
  const { kind: of, faults, note } = findings.value;
  if (of !== kind || (faults.length === 0 && !note)) return null;
  const close = () => (findings.value = { kind, faults: [], note: "" });
  if (note) return html`<${Banner} kind="hint" onClose=${close}>${t(note)}<//>`;
  const sentences = explainFaults(faults, addressFields(kind), t);
  return html`<${Banner} kind="problem" onClose=${close}>
    ${t("fault.address")} ${sentences.map((sentence) => html`<span class="sentence">${sentence} </span>`)}
    ${t("fault.defaults_used")}
  <//>`;
}

/** @param {{run: Run}} props */
function Diverged({ run }) {
  const { reason, step, values } = run.status.value;
  if (reason !== "diverged") return null;
  const { min = 0 } = fields(run.kind).rate;
  const { rate, regularization_rate: strength } = run.settings.value;
  const regularized = values.cause === "regularization";
  const words = { rate: shortNumber(rate), strength: shortNumber(strength) };
  const why = regularized ? "diverged.why_strength" : "diverged.why";
  const help = regularized
    ? t("diverged.recover_strength", { strength: shortNumber(values.regularization_rate) })
    : t("diverged.recover");
  return html`<${Banner}
    kind="problem"
    action=${html`<${Button} onClick=${() => run.recover()}>${help}<//>`}
  >
    ${t("diverged.what", { step: step.toLocaleString(locale.value) })} ${regularized || rate > min ? t(why, words) : ""}
  <//>`;
}
