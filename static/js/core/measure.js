// Times how long a change of the layers takes from the click until the new network is painted.
import { sameValue } from "../lib/settings.js";

/** Writes one performance measure "layer-change" for each change of `hidden`. */
export class LayerWatch {
  /** @type {{hidden: number[], seq: number | null} | null} */
  #expected = null;

  /** The click. @param {number[]} hidden */
  start(hidden) {
    performance.mark("layer-click");
    this.#expected = { hidden, seq: null };
  }

  /** The server took a patch. @param {Record<string, any>} patch @param {number} seq */
  sent(patch, seq) {
    if (this.#expected && "hidden" in patch) this.#expected.seq = seq;
  }

  /** @param {import("../lib/frame.js").Frame} frame */
  painted({ header, sections }) {
    const layers = sections.layers ? [...sections.layers.data] : [];
    window.layerlab = { ...window.layerlab, lastApplied: header.command, layers, step: header.step };
    if (this.#expected && sameValue(layers.slice(1, -1), [...this.#expected.hidden])) {
      performance.measure("layer-change", "layer-click");
      this.#expected = null;
    }
  }
}
