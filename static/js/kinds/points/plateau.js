// Notices that training gets nowhere, and knows what would help.
import { layersOf, sizesOf } from "../../lib/layers.js";

const PATIENCE_MS = 8_000;
const JUMPING_PATIENCE_MS = 4_000;
const PROGRESS = 0.15;

/** From this learning rate on, a loss that doesn't fall means steps that jump past the goal. */
const LARGE_RATE = { sgd: 1, momentum: 1, adam: 0.1 };

/** Watches a loss; stuck when it hasn't fallen by a sixth or so for some seconds. */
export class Plateau {
  #best = Infinity;
  /** @type {number | null} */
  #since = null;

  /** Forget everything: something was changed, or training stopped. */
  clear() {
    this.#best = Infinity;
    this.#since = null;
  }

  /**
   * @param {number} loss
   * @param {number} now Milliseconds.
   * @param {number} [patience] Milliseconds without progress.
   * @returns {boolean} Whether it is stuck.
   */
  add(loss, now, patience = PATIENCE_MS) {
    if (this.#since === null || loss < this.#best * (1 - PROGRESS)) {
      this.#best = Math.min(this.#best, loss);
      this.#since = now;
    }
    return now - this.#since >= patience;
  }
}

/** How long a run with these settings may go without progress, in milliseconds. @param {Record<string, any>} settings */
export function patience(settings) {
  return jumps(settings) ? JUMPING_PATIENCE_MS : PATIENCE_MS;
}

/** @param {Record<string, any>} settings */
function jumps({ optimizer, rate }) {
  return rate >= LARGE_RATE[/** @type {keyof typeof LARGE_RATE} */ (optimizer)];
}

/**
 * What would help a run of the 2D page that is stuck, or null if nothing simple is left.
 * @param {Record<string, any>} settings
 * @param {import("../../core/describe.js").Field} field Of the setting `layers`.
 * @param {() => number} freshSeed A seed for new first weights: those of a dead network don't come back to life.
 * @returns {{key: string, patch: Record<string, any>} | null}
 */
export function suggestion(settings, field, freshSeed) {
  const { data, inputs, layers, rate } = settings;
  if (jumps(settings)) {
    return { key: "hint.jumps", patch: { rate: Number((rate / 10).toPrecision(6)), weight_seed: freshSeed() } };
  }
  const sizes = sizesOf(field, layers);
  const small = sizes.length < 2 || Math.min(...sizes) < 8;
  const larger = { layers: layersOf(field, [8, 8]) };
  if (data === "spiral" && !(inputs.includes("sinx") && inputs.includes("siny"))) {
    const waves = { inputs: [...new Set([...inputs, "sinx", "siny"])] };
    return small ? { key: "hint.spiral", patch: { ...waves, ...larger } } : { key: "hint.sin", patch: waves };
  }
  if (sizes.length === 0 && data !== "gauss") {
    return { key: "hint.layer", patch: { layers: layersOf(field, [4]) } };
  }
  if (rate < 0.001) return { key: "hint.rate", patch: { rate: 0.01 } };
  if (small) return { key: "hint.larger", patch: larger };
  return null;
}
