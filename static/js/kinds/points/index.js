// The page of 2D points: data, network, output, loss.
import { useEffect, useMemo } from "../../../vendor/preact/hooks.js";
import { html } from "../../lib/html.js";
import { announceMilestones } from "../../core/milestones.js";
import { t } from "../../core/i18n.js";
import { percent } from "../../lib/text.js";
import { pickOf } from "../../core/pick.js";
import { LossPanel } from "../../page/loss.js";
import { Stage } from "../../page/stage.js";
import { DataPanel } from "./data.js";
import { Hint } from "./hint.js";
import { Look } from "./look.js";
import { OutputPanel } from "./output.js";
import { fromPlayground } from "./playground.js";

/** Switches that are kept in the address. */
export const views = ["unseen", "hard"];
export const readLink = fromPlayground;
export const Notices = Hint;
export const help = ["help.points", "help.dice"];

/** Per cent of the unseen points; a screen reader is told. */
const MILESTONES = [80, 90, 95, 97, 100];

/** @param {{run: import("../../core/run.js").Run, lens: import("../../core/kinds.js").LensModule | null}} props */
export function Page({ run, lens }) {
  const look = useMemo(() => new Look(pickOf(run)), [run]);
  useEffect(() => look.follow(run), [run, look]);
  useEffect(() => announceMilestones(run, MILESTONES, percent, (now) => t("output.accuracy", { percent: now })), [run]);
  return html`<div class="points-grid">
    <${DataPanel} run=${run} />
    <${Stage} run=${run} lens=${lens} look=${look} />
    <${OutputPanel} run=${run} look=${look} lens=${lens} />
    <${LossPanel} run=${run} />
  </div>`;
}
