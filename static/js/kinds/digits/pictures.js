/** Small building blocks of the digits page: a picture, probability bars, the size of an element. */
import { useLayoutEffect, useRef, useState } from "../../../vendor/preact/hooks.js";
import { t } from "../../core/i18n.js";
import { SIDE, largest } from "./digit.js";
import { html } from "../../lib/html.js";
import { formatNumber } from "../../lib/text.js";
import { barPainter, inkPainter, textPainter, usePainter } from "./painters.js";

/** @typedef {import("../../core/run.js").Run} Run */

/**
 * 28 x 28 pixels for a painter.
 * @param {{canvas?: import("../../../vendor/preact/preact.js").Ref<HTMLCanvasElement>, label?: string}} props
 *   Without a label it is decoration for a screen reader.
 */
export function Picture({ canvas, label }) {
  const spoken = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<canvas ref=${canvas} class="digits-picture" width=${SIDE} height=${SIDE} ...${spoken}></canvas>`;
}

/** The picture that the network looks at. @param {{run: Run, label: string}} props */
export function SubjectPicture({ run, label }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  usePainter(run, canvas, (element) => {
    const paint = inkPainter(element);
    return (view) => paint(view.subject);
  });
  return html`<${Picture} canvas=${canvas} label=${label} />`;
}

/**
 * A share of one for people: "97%", "<1%", or "–".
 * @param {number} share
 */
export function percentText(share) {
  if (!Number.isFinite(share)) return "–";
  if (share > 0 && share < 0.005) return t("digits.below_one_percent");
  if (share < 1 && share > 0.995) return t("digits.above_ninety_nine_percent");
  return t("digits.percent", { share: formatNumber(100 * share, 0) });
}

/**
 * The ten probabilities: rows of digit, bar and number, or upright bars over their digits.
 * @param {{run: Run, upright?: boolean, label: string}} props
 */
export function Probabilities({ run, upright = false, label }) {
  const list = useRef(/** @type {HTMLOListElement | null} */ (null));
  usePainter(run, list, (element) => {
    const rows = [...element.children].map((row) => {
      const [, bar, share] = row.children;
      return { row, bar: barPainter(bar), share: textPainter(share) };
    });
    return ({ output }) => {
      const best = largest(output.activations);
      for (const [digit, { row, bar, share }] of rows.entries()) {
        bar(output.activations[digit]);
        share(percentText(output.activations[digit]));
        row.classList.toggle("best", digit === best);
      }
    };
  });
  return html`<ol ref=${list} class=${upright ? "digits-bars upright" : "digits-bars"} aria-label=${label}>
    ${Array.from({ length: 10 }, (_, digit) => html`<li key=${digit}><b>${digit}</b><${Bar} upright=${upright} /><span class=${upright ? "share visually-hidden" : "share"}></span></li>`)}
  </ol>`;
}

/** A bar for a painter. @param {{upright?: boolean}} props */
export function Bar({ upright = false }) {
  return html`<span class=${upright ? "digits-bar upright" : "digits-bar"} aria-hidden="true"><i></i></span>`;
}

/**
 * The inner width and height of an element, in CSS pixels; 0 before it is laid out. `unit`: how many pixels
 * one pixel of the design takes, more on a large screen (see --unit in digits.css).
 * @param {{current: Element | null}} element
 */
export function useSize(element) {
  const [size, setSize] = useState({ width: 0, height: 0, unit: 1 });
  useLayoutEffect(() => {
    const watched = element.current;
    if (!watched) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry.contentRect;
      const unit = parseFloat(getComputedStyle(watched).getPropertyValue("--unit")) || 1;
      setSize((old) =>
        old.width === width && old.height === height && old.unit === unit ? old : { width, height, unit },
      );
    });
    observer.observe(watched);
    return () => observer.disconnect();
  }, []);
  return size;
}

/**
 * Arrow keys, Home and End move through `count` things in rows of `columns`: the position that `key`
 * leads to from `from`, or null for another key.
 * @param {string} key
 * @param {number} from
 * @param {number} count
 * @param {number} columns
 */
export function moveTo(key, from, count, columns) {
  /** @type {Record<string, number>} */
  const targets = {
    ArrowRight: from + 1,
    ArrowLeft: from - 1,
    ArrowDown: from + columns,
    ArrowUp: from - columns,
    Home: 0,
    End: count - 1,
  };
  const target = targets[key];
  if (target === undefined) return null;
  return target < 0 || target >= count ? from : target;
}
