// A weight under the pointer, and the small field to edit it.
import { useEffect, useLayoutEffect, useRef, useState } from "../../../../../vendor/preact/hooks.js";
import { html } from "../../../../lib/html.js";
import { t } from "../../../../core/i18n.js";
import { nearPoint } from "../../../../lib/placement.js";
import { formatNumber, parseNumber } from "../../../../lib/text.js";
import { useFrames } from "../../../../ui/live.js";
import { weightOffsets } from "./links.js";

/**
 * @typedef {import("../../../../core/run.js").Run} Run
 * @typedef {import("../../look.js").Look} Look
 * @typedef {import("../../look.js").Link} Link
 */

const REFRESH_MS = 100;
/** Pixels between the place that was pressed and the editor, and from the editor to the panel's edge. */
const AWAY = 24;
const EDGE = 8;
/** A network narrower than this has no room for the editor beside its lines. */
const SMALL = 480;

/** The weight (or bias) of a link in the newest frame. @param {Run} run @param {Link} link @returns {number} */
function weightOf(run, { layer, source, target }) {
  const { layers, weights, biases } = run.frame?.sections ?? {};
  if (!layers || !weights || !biases) return NaN;
  const sizes = layers.data;
  if (source >= 0) return weights.data[weightOffsets(sizes)[layer - 1] + source * sizes[layer] + target];
  let at = target;
  for (let before = 1; before < layer; before++) at += sizes[before];
  return biases.data[at];
}

/** @param {{run: Run, look: Look}} props */
export function WeightTip({ run, look }) {
  const link = look.link.value;
  return link && !look.editing.value ? html`<${Tip} run=${run} link=${link} />` : null;
}

/** Its number lives. @param {{run: Run, link: import("../../look.js").PlacedLink}} props */
function Tip({ run, link }) {
  useFrames(run, REFRESH_MS);
  return html`<div class="weight-tip" role="tooltip" style=${{ left: `${link.x}px`, top: `${link.y}px` }}>
    ${t("weight.value")} <b>${formatNumber(weightOf(run, link), 3)}</b><span class="muted"> ${t("weight.click")}</span>
  </div>`;
}

/** @param {{run: Run, look: Look}} props */
export function WeightEditor({ run, look }) {
  const link = look.editing.value;
  return (
    link &&
    html`<${Editor} key=${`${link.layer}-${link.source}-${link.target}`} run=${run} look=${look} link=${link} />`
  );
}

/**
 * Below the place that was pressed (above it where there is no room), so that the line stays in sight; on a small
 * screen at the far end of the network. Never beyond the part of the network that is seen.
 * @param {HTMLElement} box
 * @param {{x: number, y: number}} point
 */
function placeBeside(box, point) {
  const frame = box.closest(".network-frame");
  const stage = box.closest(".wires");
  if (!frame || !stage) return;
  const [seen, whole] = [frame.getBoundingClientRect(), stage.getBoundingClientRect()];
  const room = { left: seen.left - whole.left, right: seen.right - whole.left, height: whole.height };
  const size = { width: box.offsetWidth, height: box.offsetHeight };
  const { x, y } = nearPoint(size, point, room, { away: AWAY, edge: EDGE, small: SMALL });
  box.style.left = `${x}px`;
  box.style.top = `${y}px`;
}

/** @param {{run: Run, look: Look, link: import("../../look.js").PlacedLink}} props */
function Editor({ run, look, link }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [first] = useState(() => formatNumber(weightOf(run, link), 3).replace("−", "-"));
  const [wrong, setWrong] = useState("");
  const before = useRef(document.activeElement);
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  useLayoutEffect(() => {
    if (box.current) placeBeside(box.current, link);
  }, [link, wrong]);
  useEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const close = () => {
    look.editing.value = null;
    if (before.current instanceof HTMLElement) before.current.focus();
  };
  const commit = async () => {
    const text = input.current?.value ?? "";
    if (look.editing.peek() !== link) return;
    if (text === first) return close();
    const value = parseNumber(text);
    if (value === null) return setWrong(t("weight.not_a_number", { text }));
    const reply = await run.send("weight", { layer: link.layer, source: link.source, target: link.target, value });
    if (reply.ok && look.editing.peek() === link) close();
    return undefined;
  };
  const key = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") void commit();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const label = t(link.source < 0 ? "weight.bias" : "weight.edit");
  return html`<div class="weight-editor" ref=${box}>
    <label>${label} <input
      ref=${input}
      type="text"
      name="weight"
      inputmode="decimal"
      autocomplete="off"
      defaultValue=${first}
      aria-invalid=${wrong !== ""}
      onKeyDown=${key}
      onBlur=${() => void commit()}
    /></label>
    ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
  </div>`;
}
