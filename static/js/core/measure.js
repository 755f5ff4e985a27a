// Times how long a change of the layers takes from the click until the new network is painted.
import { sameValue } from "../lib/settings.js";

/** Writes one performance measure "layer-change" for each change of `layers`. */
export class LayerWatch {
  /** @type {number[] | null} */
  #expected = null;

  /** The click. @param {number[]} sizes Of the hidden layers, as they are to be. */
  start(sizes) {
    performance.mark("layer-click");
    this.#expected = sizes;
  }

  /** @param {import("../lib/frame.js").Frame} frame */
  painted({ header, sections }) {
    const layers = sections.layers ? [...sections.layers.data] : [];
    window.layerlab = { ...window.layerlab, lastApplied: header.command, layers, step: header.step };
    if (this.#expected && sameValue(layers.slice(1, -1), this.#expected)) {
      performance.measure("layer-change", "layer-click");
      this.#expected = null;
    }
  }
}
