// The output panel: one plain sentence, and the plane as the network (or one neuron) sees it.
import { useEffect, useRef } from "../../../vendor/preact/hooks.js";
import { html } from "../../lib/html.js";
import { t } from "../../core/i18n.js";
import { palette } from "../../core/theme.js";
import { setView, view } from "../../core/url.js";
import { whenChanged } from "../../lib/changed.js";
import { percent } from "../../lib/text.js";
import { Checkbox, Panel } from "../../ui/controls.js";
import { paintPlane, paintPoints } from "./plane.js";

/** @typedef {import("../../core/run.js").Run} Run */
/** @typedef {import("./look.js").Look} Look */
/** @typedef {import("../../lib/frame.js").Frame} Frame */
/** @typedef {typeof palette.value} Colours */

/** @typedef {import("../../core/kinds.js").LensModule} LensModule */

/** @param {{run: Run, look: Look, lens: LensModule | null}} props */
export function OutputPanel({ run, look, lens }) {
  const { unseen, hard } = view.value;
  return html`<${Panel} title=${t("output.title")} class="output">
    <p class="sentence-now" data-testid="sentence"><${Sentence} run=${run} look=${look} lens=${lens} /></p>
    <${Plane} run=${run} look=${look} />
    <div class="legend" aria-hidden="true">
      <span><i class="diamond" />${t("output.negative")}</span><span
        class="scale"
      /><span>${t("output.positive")}<i class="circle" /></span>
    </div>
    <div class="checks">
      <${Checkbox}
        name="unseen"
        label=${t("output.show_unseen")}
        checked=${unseen === "1"}
        onChange=${(/** @type {boolean} */ on) => setView("unseen", on)}
      />
      <${Checkbox}
        name="hard"
        label=${t("output.hard")}
        checked=${hard === "1"}
        onChange=${(/** @type {boolean} */ on) => setView("hard", on)}
      />
    </div>
  <//>`;
}

/** What is seen, in plain words: the lens's, or how well the network does. @param {{run: Run, look: Look, lens: LensModule | null}} props */
function Sentence({ run, look, lens }) {
  const metrics = run.metrics.value;
  const said = lens?.sentence?.(run, look);
  if (said) return said;
  if (run.status.value.reason === "diverged") return t("output.diverged");
  if (!metrics || run.steps.value === 0) return t("output.start");
  return Number.isFinite(metrics.unseenAccuracy)
    ? t("output.accuracy", { percent: percent(metrics.unseenAccuracy) })
    : t("output.diverged");
}

/** @param {{run: Run, look: Look}} props */
function Plane({ run, look }) {
  const field = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const dots = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useEffect(() => {
    const [below, above] = [field.current, dots.current];
    if (!below || !above) return;
    const endField = run.onFrame((frame) => {
      const colours = palette.value;
      paintPlane(below, frame, look.neuron.value, view.value.hard === "1" ? colours.hard : colours.table);
    });
    const paintDots = whenChanged(
      (/** @type {Frame["sections"]["points"]} */ _, /** @type {Colours} */ colours, /** @type {boolean} */ unseen) => {
        if (run.frame) paintPoints(above, run.frame, colours, unseen);
      },
    );
    const endDots = run.onFrame(({ sections }) => paintDots(sections.points, palette.value, view.value.unseen === "1"));
    const observer = new ResizeObserver(() => {
      if (run.frame) paintPoints(above, run.frame, palette.peek(), view.peek().unseen === "1");
    });
    observer.observe(above);
    return () => {
      endField();
      endDots();
      observer.disconnect();
    };
  }, [run, look]);
  return html`<div class="plane-frame">
    <div class="axis-y" aria-hidden="true"><span>6</span><span class="math">x₂</span><span>−6</span></div>
    <div class="plane" role="img" aria-label=${t("output.plane")}>
      <canvas
        ref=${field}
        width="100"
        height="100"
        aria-hidden="true"
      ></canvas><canvas ref=${dots} aria-hidden="true"></canvas>
    </div>
    <div class="axis-x" aria-hidden="true"><span>−6</span><span class="math">x₁</span><span>6</span></div>
  </div>`;
}
