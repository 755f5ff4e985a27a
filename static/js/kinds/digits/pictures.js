/** Small building blocks of the digits page: a picture, probability bars, the size of an element. */
import { useLayoutEffect, useMemo, useRef, useState } from "../../../vendor/preact/hooks.js";
import { t } from "../../core/i18n.js";
import { palette } from "../../core/theme.js";
import { SIDE, largest } from "./digit.js";
import { html } from "../../lib/html.js";
import { formatNumber } from "../../lib/text.js";
import { inkTable, paintPicture, stretched } from "./paint.js";

/**
 * 28 x 28 pixels, painted again only when the bytes or the colours change.
 * @param {{pixels: Uint8Array, table: Uint32Array, class?: string, label?: string}} props
 *   Without a label it is decoration for a screen reader.
 */
export function Picture({ pixels, table, class: name = "", label }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useLayoutEffect(() => {
    if (canvas.current) paintPicture(canvas.current, pixels, table);
  }, [pixels.buffer, pixels.byteOffset, table]);
  const spoken = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<canvas ref=${canvas} class=${`digits-picture ${name}`} width=${SIDE} height=${SIDE} ...${spoken}></canvas>`;
}

/** Weights as a picture, through the page's table of blue and orange. @param {{pixels: Uint8Array}} props */
export function WeightPicture({ pixels }) {
  const { table } = palette.value;
  const own = useMemo(() => stretched(table, pixels), [pixels.buffer, pixels.byteOffset, table]);
  return html`<${Picture} pixels=${pixels} table=${own} />`;
}

/**
 * A picture as ink on paper, in the colours of the theme.
 * @param {{pixels: Uint8Array, class?: string, label?: string}} props
 */
export function InkPicture(props) {
  const { panel, ink } = palette.value;
  return html`<${Picture} ...${props} table=${inkTable(panel, ink)} />`;
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
 * @param {{probabilities: ArrayLike<number>, upright?: boolean, label: string}} props
 */
export function Probabilities({ probabilities, upright = false, label }) {
  const best = largest(probabilities);
  return html`<ol class=${upright ? "digits-bars upright" : "digits-bars"} aria-label=${label}>
    ${Array.from({ length: 10 }, (_, digit) => {
      const share = probabilities[digit] ?? NaN;
      return html`<li key=${digit} class=${digit === best ? "best" : ""}>
        <b>${digit}</b>
        <${Bar} share=${share} upright=${upright} />
        <span class="share">${percentText(share)}</span>
      </li>`;
    })}
  </ol>`;
}

/**
 * A bar whose length is a share of one.
 * @param {{share: number, upright?: boolean, class?: string}} props
 */
export function Bar({ share, upright = false, class: name = "" }) {
  const part = Number.isFinite(share) ? Math.max(0, Math.min(1, share)) : 0;
  const style = { transform: upright ? `scaleY(${part})` : `scaleX(${part})` };
  return html`<span class=${`digits-bar ${name}`} aria-hidden="true"><i style=${style}></i></span>`;
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
