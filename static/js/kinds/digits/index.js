/** The digits page: train a network on MNIST, watch its weights become pictures, draw for it. */
import { useEffect, useMemo } from "../../../vendor/preact/hooks.js";
import { signal } from "../../../vendor/preact-signals/signals.js";
import { t } from "../../core/i18n.js";
import { announceMilestones } from "../../core/milestones.js";
import { html } from "../../lib/html.js";
import { LossPanel } from "../../page/loss.js";
import { Stage } from "../../page/stage.js";
import { DataPanel } from "./data.js";
import { shapeOf, viewOf } from "./model.js";
import { OutputPanel } from "./output.js";
import { subjectOf } from "./subject.js";

export const help = ["digits.help_drawing", "digits.help_dice"];

/** A screen reader is told when so many per cent of the test images are read rightly. */
const MILESTONES = [50, 80, 90, 92, 95, 97, 98, 99];

/** @param {{run: import("../../core/run.js").Run, lens: import("../../core/kinds.js").LensModule | null}} props */
export function Page({ run, lens }) {
  const subject = subjectOf(run);
  const shown = useMemo(() => signal(/** @type {import("./model.js").Shape | null} */ (null)), [run]);
  useEffect(
    () =>
      run.onFrame((frame) => {
        const view = viewOf(frame);
        shown.value = view && shapeOf(view, shown.peek());
        if (view) subject.greet(view);
      }),
    [run],
  );
  useEffect(() => {
    const share = (/** @type {number} */ accuracy) => 100 * accuracy;
    return announceMilestones(run, MILESTONES, share, (_, passed) => t("digits.milestone", { share: passed }));
  }, [run]);
  const shape = shown.value;
  return html`<div class="digits-page">
    <${DataPanel} run=${run} shape=${shape} subject=${subject} />
    <${Stage} run=${run} lens=${lens} shape=${shape} />
    <${OutputPanel} run=${run} shape=${shape} subject=${subject} />
    <${LossPanel} run=${run} />
  </div>`;
}
