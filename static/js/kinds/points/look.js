// What the reader looks at: a neuron under the pointer or pinned, a link, a weight being edited.
import { computed, effect, signal } from "../../../vendor/preact-signals/signals.js";
import { sameValue } from "../../lib/settings.js";
import { afterPause } from "../../lib/throttle.js";

/**
 * @typedef {{layer: number, unit: number}} Neuron `layer` 0 = inputs.
 * @typedef {{layer: number, source: number, target: number}} Link `source` -1: the bias of `target`.
 * @typedef {Link & {x: number, y: number}} PlacedLink With a place in the network's stage.
 */

const SETTLED_MS = 40;

/** One page's state of looking. The server is told which neuron the big plane shall show. */
export class Look {
  hovered = signal(/** @type {Neuron | null} */ (null));
  pinned = signal(/** @type {Neuron | null} */ (null));
  link = signal(/** @type {PlacedLink | null} */ (null));
  editing = signal(/** @type {PlacedLink | null} */ (null));
  /** Sizes of the layers in the newest frame. */
  sizes = signal(/** @type {number[]} */ ([]));

  /** The neuron that is shown large; null for the output. */
  neuron = computed(() => {
    const wanted = this.hovered.value ?? this.pinned.value;
    const sizes = this.sizes.value;
    return wanted && wanted.layer < sizes.length && wanted.unit < sizes[wanted.layer] ? wanted : null;
  });

  /** @param {import("../../core/run.js").Run} run @returns {() => void} Ends it. */
  follow(run) {
    const ask = afterPause(() => void run.send("look", this.neuron.peek() ?? { layer: null, unit: 0 }), SETTLED_MS);
    const endFrames = run.onFrame(({ sections }) => {
      const sizes = sections.layers ? [...sections.layers.data] : [];
      if (sizes.length > 0 && !sameValue(sizes, this.sizes.peek())) this.sizes.value = sizes;
    });
    const endLook = effect(() => {
      void this.neuron.value;
      if (run.opened.value) ask.offer();
    });
    return () => {
      ask.end();
      endFrames();
      endLook();
    };
  }

  /** @param {Neuron | null} neuron */
  hover(neuron) {
    this.hovered.value = neuron;
  }

  /** Keep looking at a neuron; the second time lets it go. @param {Neuron | null} neuron */
  pin(neuron) {
    const old = this.pinned.value;
    this.pinned.value = neuron && old?.layer === neuron.layer && old.unit === neuron.unit ? null : neuron;
    if (!this.pinned.value) this.hovered.value = null;
  }
}

/** Short names of the inputs, as in a formula. @type {Record<string, string>} */
export const INPUT_NAMES = { x: "x₁", y: "x₂", x2: "x₁²", y2: "x₂²", xy: "x₁x₂", sinx: "sin x₁", siny: "sin x₂" };
