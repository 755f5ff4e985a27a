/** The drawing pad: mouse, finger or pen. */
import { useEffect, useRef } from "../../../vendor/preact/hooks.js";
import { t } from "../../core/i18n.js";
import { palette } from "../../core/theme.js";
import { html } from "../../lib/html.js";
import { drawStrokes } from "./strokes.js";

/** Pixels of the canvas: about twice what it takes on the page. */
const SIZE = 368;

/** @param {{subject: import("./subject.js").Subject}} props */
export function DrawingPad({ subject }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const pen = useRef(/** @type {number | null} */ (null));
  const { ink } = palette.value;
  const strokes = subject.strokes.value;

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (context) drawStrokes(context, strokes, SIZE, ink);
  }, [strokes, ink]);

  /** @param {PointerEvent} event */
  function down(event) {
    if (!event.isPrimary || event.button !== 0 || !canvas.current) return;
    canvas.current.setPointerCapture(event.pointerId);
    pen.current = event.pointerId;
    subject.draw([...subject.strokes.value, [position(event, canvas.current)]]);
  }

  /** @param {PointerEvent} event */
  function move(event) {
    const sheet = canvas.current;
    const drawn = subject.strokes.value;
    if (event.pointerId !== pen.current || !sheet || drawn.length === 0) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    const points = (parts.length > 0 ? parts : [event]).map((part) => position(part, sheet));
    subject.draw([...drawn.slice(0, -1), [...drawn[drawn.length - 1], ...points]]);
  }

  /** @param {PointerEvent} event */
  function up(event) {
    if (event.pointerId === pen.current) pen.current = null;
  }

  return html`<div class="digits-pad">
    <canvas ref=${canvas} width=${SIZE} height=${SIZE} role="img" aria-label=${t("digits.pad")} onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${up}></canvas>
    ${strokes.length === 0 && html`<p aria-hidden="true">${t("digits.pad_hint")}</p>`}
  </div>`;
}

/**
 * Where the pen is, as parts of the sheet's side.
 * @param {PointerEvent} event
 * @param {HTMLCanvasElement} sheet
 * @returns {[number, number]}
 */
function position(event, sheet) {
  const box = sheet.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}
