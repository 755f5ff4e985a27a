// Pointer and keys in the network: the nearest link under a pointer, arrow keys between neurons.
import { nearestLink } from "./links.js";

/** @typedef {import("../../look.js").Look} Look */

const REACH = 9;
const TOUCH_REACH = 18;

/**
 * Links are thin, so the nearest one within a few pixels is meant.
 * @param {HTMLElement} field
 * @param {import("./painter.js").NetworkPainter} painter
 * @param {Look} look
 * @param {boolean} touch
 * @returns {() => void} Ends it.
 */
export function pointerOnLinks(field, painter, look, touch) {
  const find = (/** @type {PointerEvent | MouseEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    if (target.closest("button, input, form")) return null;
    const box = field.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const link = nearestLink(painter.layout, x, y, touch ? TOUCH_REACH : REACH, (one) => painter.links.draws(one));
    return link && { ...link, x, y };
  };
  const move = (/** @type {PointerEvent} */ event) => {
    if (event.pointerType !== "mouse") return;
    const link = find(event);
    look.link.value = link;
    field.classList.toggle("on-link", link !== null);
  };
  const leave = () => {
    look.link.value = null;
  };
  const click = (/** @type {MouseEvent} */ event) => {
    const link = find(event);
    if (link) look.editing.value = link;
  };
  field.addEventListener("pointermove", move);
  field.addEventListener("pointerleave", leave);
  field.addEventListener("click", click);
  return () => {
    field.removeEventListener("pointermove", move);
    field.removeEventListener("pointerleave", leave);
    field.removeEventListener("click", click);
    leave();
    look.editing.value = null;
  };
}

/**
 * Arrow keys go from neuron to neuron: up and down in a layer, left and right between layers.
 * @param {KeyboardEvent} event
 * @param {Look} look
 */
export function moveFocus(event, look) {
  const target = event.target instanceof HTMLElement ? event.target : null;
  const place = target?.dataset.neuron?.split("-").map(Number);
  if (!target || !place) return;
  const sizes = look.sizes.value;
  let [layer, unit] = place;
  if (event.key === "ArrowUp") unit -= 1;
  else if (event.key === "ArrowDown") unit += 1;
  else if (event.key === "ArrowLeft") layer -= 1;
  else if (event.key === "ArrowRight") layer += 1;
  else return;
  event.preventDefault();
  layer = Math.min(sizes.length - 1, Math.max(0, layer));
  unit = Math.min(sizes[layer] - 1, Math.max(0, unit));
  const next = /** @type {HTMLElement | null} */ (
    event.currentTarget instanceof Element
      ? event.currentTarget.querySelector(`[data-neuron="${layer}-${unit}"]`)
      : null
  );
  next?.focus();
}
