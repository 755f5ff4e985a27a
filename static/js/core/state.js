// What is told of a run besides its settings: whether it trains, and how well it does.
import { sameValue } from "../lib/settings.js";

/**
 * @typedef {object} RunStatus
 * @property {boolean} playing
 * @property {string | null} reason Why it isn't playing: paused, stepped, reset, diverged.
 * @property {number} step
 * @property {number} epoch
 * @property {string} executor For the badge, e.g. "CPU · NumPy".
 * @property {"" | "compiling" | "failed"} machine Why it isn't native yet.
 * @property {string} problem Why that failed, in the server's words.
 * @property {Record<string, any>} values Of "diverged": its cause, and what recovering would set.
 * @property {number} seq The last command that was applied before it.
 *
 * @typedef {object} Metrics
 * @property {number} trainLoss
 * @property {number} unseenLoss
 * @property {number} trainAccuracy
 * @property {number} unseenAccuracy
 */

/** @type {RunStatus} */
export const IDLE = {
  playing: false,
  reason: null,
  step: 0,
  epoch: 0,
  executor: "",
  machine: "",
  problem: "",
  values: {},
  seq: -1,
};

/** What holds when there is no run yet: what computes it stays. @param {RunStatus} shown @returns {RunStatus} */
export const withoutRun = ({ executor, machine, problem }) => ({ ...IDLE, executor, machine, problem });

/**
 * The status that an event tells.
 * @param {Record<string, any>} event
 * @param {RunStatus} shown What was shown before.
 * @returns {RunStatus}
 */
export function statusOf(event, shown) {
  const { playing, reason = null, step, epoch, executor, machine = "", problem = "", values, seq } = event;
  return { playing, reason, step, epoch, executor: executor || shown.executor, machine, problem, values, seq };
}

/**
 * The status to show with a frame. A frame may be painted after a status that is newer than it: then the status
 * holds. It is newer than all frames of earlier commands, and than those of its own up to its step.
 * @param {import("../lib/frame.js").Header} header
 * @param {RunStatus} told The last one that the server told.
 * @param {RunStatus} shown
 * @returns {RunStatus} `shown` itself if nothing changes.
 */
export function statusWith({ command, step, playing }, told, shown) {
  if (command < told.seq || (command === told.seq && step <= told.step)) return told;
  return playing === shown.playing ? shown : { ...shown, playing, reason: playing ? null : shown.reason };
}

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
