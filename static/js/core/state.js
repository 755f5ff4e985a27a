// What is told of a run besides its settings: whether it trains, and how well it does.
import { sameValue } from "../lib/settings.js";

/**
 * @typedef {object} RunStatus
 * @property {boolean} playing
 * @property {string | null} reason Why it isn't playing: paused, stepped, reset, diverged.
 * @property {number} step
 * @property {number} epoch
 * @property {string} executor For the badge, e.g. "CPU · NumPy".
 * @property {Record<string, any>} values Of "diverged": its cause, and what recovering would set.
 *
 * @typedef {object} Metrics
 * @property {number} trainLoss
 * @property {number} unseenLoss
 * @property {number} trainAccuracy
 * @property {number} unseenAccuracy
 */

/** @type {RunStatus} */
export const IDLE = { playing: false, reason: null, step: 0, epoch: 0, executor: "", values: {} };

/**
 * A frame's four numbers by name; `old` itself if nothing changed.
 * @param {ArrayLike<number>} numbers
 * @param {Metrics | null} old
 * @returns {Metrics}
 */
export function metricsOf(numbers, old) {
  const [trainLoss, unseenLoss, trainAccuracy, unseenAccuracy] = Array.from(numbers);
  const found = { trainLoss, unseenLoss, trainAccuracy, unseenAccuracy };
  return old && sameValue(Object.values(old), Object.values(found)) ? old : found;
}
