/** The panel on the left: the images, the batch size, the drawing pad and what the network sees of it. */
import { fields } from "../../core/describe.js";
import { t } from "../../core/i18n.js";
import { useRef } from "../../../vendor/preact/hooks.js";
import { largest } from "./digit.js";
import { html } from "../../lib/html.js";
import { Button, Panel, Slider } from "../../ui/controls.js";
import { DrawingPad } from "./pad.js";
import { textPainter, usePainter } from "./painters.js";
import { SubjectPicture, percentText } from "./pictures.js";

/** Batch sizes that the slider offers; a size from the address is added. */
const BATCHES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/**
 * @param {{run: import("../../core/run.js").Run, shape: import("./model.js").Shape | null, subject: import("./subject.js").Subject}} props
 */
export function DataPanel({ run, shape, subject }) {
  return html`<${Panel} title=${t("digits.data")} class="digits-data">
    <div class="digits-facts">
      <p class="muted">${t("digits.counts")}</p>
      <${Batch} run=${run} />
    </div>
    <div class="digits-drawing">
      <${DrawingPad} subject=${subject} />
      <div class="digits-drawing-side">
        ${shape && html`<${Seen} run=${run} drawn=${subject.strokes.value.length > 0} />`}
        <div class="digits-drawing-buttons">
          <${Button} disabled=${subject.strokes.value.length === 0} onClick=${() => subject.clear()}>${t("digits.clear")}<//>
          ${shape && html`<${NextPicture} shape=${shape} subject=${subject} />`}
        </div>
      </div>
    </div>
  <//>`;
}

/** @param {{run: import("../../core/run.js").Run}} props */
function Batch({ run }) {
  const { min = 1, max = Infinity } = fields("digits").batch;
  const { batch } = run.settings.value;
  const sizes = [...new Set([...BATCHES, batch])].filter((size) => size >= min && size <= max).sort((a, b) => a - b);
  const set = (/** @type {number} */ position) => run.set({ batch: sizes[position] });
  return html`<${Slider} label=${t("setting.batch")} name="batch" min=${0} max=${sizes.length - 1} step=${1} value=${sizes.indexOf(batch)} text=${String(batch)} onInput=${set} />`;
}

/** The 28 x 28 pixels that go into the network, and its answer. @param {{run: import("../../core/run.js").Run, drawn: boolean}} props */
function Seen({ run, drawn }) {
  const words = useRef(/** @type {HTMLElement | null} */ (null));
  usePainter(run, words, (place) => {
    const [answer, why] = [place.children[1], place.children[2]].map(textPainter);
    return (view) => {
      const found = answerOf(view);
      answer(found.answer);
      why(found.why);
    };
  });
  return html`<div class="digits-seen">
    <${SubjectPicture} run=${run} label=${t(drawn ? "digits.seen_drawing" : "digits.seen_test")} />
    <p ref=${words}>
      <span class="muted">${t("digits.seen")}</span>
      <b data-testid="answer"></b>
      <span class="muted"></span>
    </p>
  </div>`;
}

/** What it reads, and how sure it is. @param {import("./model.js").View} view */
function answerOf({ output, overflowed }) {
  if (overflowed) return { answer: t("digits.overflowed"), why: t("digits.overflowed_why") };
  const digit = largest(output.activations);
  if (digit < 0) return { answer: t("digits.no_answer"), why: t("digits.no_answer_why") };
  return {
    answer: t("digits.answer", { digit }),
    why: t("digits.sure", { share: percentText(output.activations[digit]) }),
  };
}

/** The way for everyone who doesn't draw: another test image. @param {{shape: import("./model.js").Shape, subject: import("./subject.js").Subject}} props */
function NextPicture({ shape, subject }) {
  const next = shape.gallery[(shape.picked + 1) % Math.max(1, shape.gallery.length)];
  return html`<${Button} disabled=${!next} onClick=${() => next && subject.pick(next.image)}>${t("digits.next_picture")}<//>`;
}
