// Notices that training gets nowhere, and knows what would help.

const PATIENCE_MS = 10_000;
const PROGRESS = 0.05;

/** Watches a loss; stuck after ten seconds in which the loss has not fallen by a twentieth. */
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
   * @returns {boolean} Whether it is stuck.
   */
  add(loss, now) {
    if (this.#since === null || loss < this.#best * (1 - PROGRESS)) {
      this.#best = Math.min(this.#best, loss);
      this.#since = now;
    }
    return now - this.#since >= PATIENCE_MS;
  }
}

/**
 * What would help a run of the 2D page that is stuck, or null if nothing simple is left.
 * @param {Record<string, any>} settings
 * @returns {{key: string, patch: Record<string, any>} | null}
 */
export function suggestion({ data, inputs, hidden, rate }) {
  if (data === "spiral" && !inputs.includes("sinx")) {
    return { key: "hint.sin", patch: { inputs: [...new Set([...inputs, "sinx", "siny"])] } };
  }
  if (hidden.length === 0 && data !== "gauss") return { key: "hint.layer", patch: { hidden: [4] } };
  if (rate < 0.001) return { key: "hint.rate", patch: { rate: 0.01 } };
  if (hidden.length < 2 || Math.min(...hidden) < 8) return { key: "hint.larger", patch: { hidden: [8, 8] } };
  return null;
}
