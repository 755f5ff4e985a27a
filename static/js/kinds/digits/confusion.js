/** Which digits are taken for which: a table of the last evaluation on all test images. */
import { useEffect, useState } from "../../../vendor/preact/hooks.js";
import { t } from "../../core/i18n.js";
import { html } from "../../lib/html.js";
import { viewOf, worstPairs } from "./model.js";

const DIGITS = Array.from({ length: 10 }, (_, digit) => digit);
/** A mistake made this often is painted in the full colour. */
const OFTEN = 60;
/** A digit read rightly this often is painted in the full colour. */
const ALL = 1000;

/** @param {{run: import("../../core/run.js").Run, overflowed: boolean}} props */
export function Confusion({ run, overflowed }) {
  const confusion = useConfusion(run);
  if (overflowed) return html`<p class="digits-empty muted">${t("digits.confusion_overflowed")}</p>`;
  if (!confusion) return html`<p class="digits-empty muted">${t("digits.confusion_waiting")}</p>`;
  const pairs = worstPairs(confusion);
  return html`<div class="digits-confusion">
    <table>
      <caption>${t("digits.confusion_caption")}</caption>
      <thead>
        <tr>
          <th scope="col"><span class="visually-hidden">${t("digits.confusion_true")}</span></th>
          ${DIGITS.map((digit) => html`<th scope="col">${digit}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${DIGITS.map(
          (label) => html`<tr>
            <th scope="row">${label}</th>
            ${DIGITS.map((answer) => html`<${Cell} times=${confusion[10 * label + answer]} right=${label === answer} />`)}
          </tr>`,
        )}
      </tbody>
    </table>
    <p class="muted">
      ${pairs.length === 0 ? t("digits.no_mistakes") : t("digits.confusion_worst", { label: pairs[0].label, answer: pairs[0].answer, n: pairs[0].times })}
    </p>
  </div>`;
}

/** The newest table; the same object until another test of the network has ended. @param {import("../../core/run.js").Run} run */
function useConfusion(run) {
  const [confusion, show] = useState(() => (run.frame && viewOf(run.frame)?.confusion) ?? null);
  useEffect(
    () =>
      run.onFrame((frame) => {
        const next = viewOf(frame)?.confusion ?? null;
        show((last) => (last && next && last.every((times, cell) => times === next[cell]) ? last : next));
      }),
    [run],
  );
  return confusion;
}

/** @param {{times: number, right: boolean}} props */
function Cell({ times, right }) {
  const strength = Math.min(1, Math.sqrt(times / (right ? ALL : OFTEN)));
  return html`<td class=${right ? "right" : "wrong"} style=${{ "--strength": `${Math.round(60 * strength)}%` }}>${times > 0 ? times : ""}</td>`;
}
