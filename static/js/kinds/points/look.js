// What the reader looks at: a neuron that is picked, a link, a weight being edited.
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
  link = signal(/** @type {PlacedLink | null} */ (null));
  editing = signal(/** @type {PlacedLink | null} */ (null));
  /** Sizes of the layers in the newest frame. */
  sizes = signal(/** @type {number[]} */ ([]));

  /** @param {import("../../core/pick.js").Pick} pick */
  constructor(pick) {
    this.pick = pick;
  }

  /** The neuron that is shown large; null for the output. */
  neuron = computed(() => {
    const wanted = this.pick.current.value;
    const sizes = this.sizes.value;
    return wanted && wanted.layer < sizes.length && wanted.unit < sizes[wanted.layer] ? wanted : null;
  });

  /** @param {import("../../core/run.js").Run} run @returns {() => void} Ends it. */
  follow(run) {
    const ask = afterPause(() => {
      const neuron = this.neuron.peek();
      void run.send("look", { layer: neuron?.layer ?? null, unit: neuron?.unit ?? 0 });
    }, SETTLED_MS);
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
      this.hover(null);
    };
  }

  /** @param {Neuron | null} neuron */
  hover(neuron) {
    this.pick.hovered.value = neuron && { what: "unit", ...neuron };
  }

  /** Keep looking at a neuron; the second time lets it go. @param {Neuron | null} neuron */
  keep(neuron) {
    const { pinned } = this.pick;
    pinned.value = !neuron || this.keeps(neuron) ? null : { what: "unit", ...neuron };
    if (!pinned.value) this.hover(null);
  }

  /** Whether a neuron is the one that is kept. @param {Neuron} neuron */
  keeps({ layer, unit }) {
    const kept = this.pick.pinned.value;
    return kept !== null && kept.layer === layer && kept.unit === unit;
  }
}

/** Short names of the inputs, as in a formula. @type {Record<string, string>} */
export const INPUT_NAMES = { x: "x₁", y: "x₂", x2: "x₁²", y2: "x₂²", xy: "x₁x₂", sinx: "sin x₁", siny: "sin x₂" };
