// Short messages that come and go (toasts) and the sentence that a screen reader hears.
import { signal } from "../../vendor/preact-signals/signals.js";

/**
 * @typedef {object} Toast
 * @property {number} id
 * @property {string | null} key Of the catalogue; null: `text` as it is.
 * @property {Record<string, any>} values
 * @property {string} text
 */

const SHOWN_MS = 8000;
let count = 0;

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Toast[]>} */
export const toasts = signal(/** @type {Toast[]} */ ([]));

/** What a screen reader is told: milestones only, never each frame. */
export const announcement = signal("");

/**
 * Show a message for eight seconds.
 * @param {string | null} key
 * @param {Record<string, any>} [values]
 * @param {string} [text] Shown when `key` is null.
 */
export function notify(key, values = {}, text = "") {
  const toast = { id: ++count, key, values, text };
  toasts.value = [...toasts.value.slice(-2), toast];
  setTimeout(() => dismiss(toast.id), SHOWN_MS);
}

/** @param {number} id */
export function dismiss(id) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}
