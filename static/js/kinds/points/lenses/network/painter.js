// Paints what changes with each frame in the network: the neurons' maps and the links.
import { effect } from "../../../../../vendor/preact-signals/signals.js";
import { linksDue } from "../../../../core/governor.js";
import { palette } from "../../../../core/theme.js";
import { paintMap } from "../../../../lib/heatmap.js";
import { sameValue } from "../../../../lib/settings.js";
import { LinkLayer } from "./linklayer.js";

/**
 * @typedef {import("../../../../core/run.js").Run} Run
 * @typedef {import("../../../../lib/frame.js").Frame} Frame
 * @typedef {import("../../look.js").Look} Look
 */

export class NetworkPainter {
  /** @type {CanvasRenderingContext2D[]} In the order of the units. */
  #contexts = [];
  /** @type {HTMLElement[]} */
  #tiles = [];
  #image = new ImageData(30, 30);
  #pixels = new Uint32Array(this.#image.data.buffer);
  /** @type {(() => void)[]} */
  #ends = [];
  /** @type {ArrayLike<number>} */
  weights = [];
  /** Whether the links have no look yet: then they are due, however slow the page is. */
  #bare = true;

  /**
   * @param {HTMLElement} field
   * @param {SVGSVGElement} svg
   * @param {Run} run
   * @param {Look} look
   * @param {import("./layout.js").Layout} layout
   * @param {number[]} sizes The layers that `field` shows; frames of another shape are not painted.
   */
  constructor(field, svg, run, look, layout, sizes) {
    this.layout = layout;
    this.sizes = sizes;
    this.links = new LinkLayer(svg);
    this.#tiles = [...field.querySelectorAll(".neuron")].map((tile) => /** @type {HTMLElement} */ (tile));
    this.#tiles.sort((a, b) => Number(a.dataset.index) - Number(b.dataset.index));
    this.#contexts = this.#tiles.map(
      (tile) => /** @type {CanvasRenderingContext2D} */ (tile.querySelector("canvas")?.getContext("2d")),
    );
    this.links.build(sizes, layout, run.frame?.sections.weights?.data ?? []);
    this.#ends.push(
      run.onFrame((frame) => this.#paint(frame, palette.value.table)),
      effect(() => {
        const edited = look.editing.value;
        this.#highlight(look.neuron.value, edited && edited.source >= 0 ? edited : look.link.value);
      }),
    );
  }

  end() {
    for (const end of this.#ends) end();
  }

  /** @param {Frame} frame @param {Uint32Array} table */
  #paint({ sections }, table) {
    const { layers, maps, weights } = sections;
    if (!layers || !sameValue([...layers.data], this.sizes)) return;
    if (weights) this.weights = weights.data;
    if (maps && maps.shape[0] === this.#contexts.length) this.#paintMaps(maps, table);
    if (this.#bare || linksDue()) this.links.update(this.weights);
    this.#bare = false;
  }

  /** @param {import("../../../../lib/frame.js").Section} maps @param {Uint32Array} table */
  #paintMaps(maps, table) {
    const length = this.#pixels.length;
    for (const [index, context] of this.#contexts.entries()) {
      paintMap(this.#pixels, maps.data, index * length, table);
      context.putImageData(this.#image, 0, 0);
    }
  }

  /** @param {import("../../look.js").Neuron | null} neuron @param {import("../../look.js").PlacedLink | null} link */
  #highlight(neuron, link) {
    if (link) this.links.highlight((one) => sameLink(one, link));
    else if (neuron) this.links.highlight((one) => touches(one, neuron));
    else this.links.highlight(null);
    for (const tile of this.#tiles) {
      const [layer, unit] = String(tile.dataset.neuron).split("-").map(Number);
      const near =
        !neuron || link || Math.abs(layer - neuron.layer) === 1 || (layer === neuron.layer && unit === neuron.unit);
      tile.classList.toggle("dim", !near);
      tile.classList.toggle("looked", Boolean(neuron && layer === neuron.layer && unit === neuron.unit));
    }
  }
}

/** @param {{layer: number, source: number, target: number}} one @param {{layer: number, source: number, target: number}} other */
function sameLink(one, other) {
  return one.layer === other.layer && one.source === other.source && one.target === other.target;
}

/** Whether a link starts or ends at a neuron. @param {{layer: number, source: number, target: number}} link @param {import("../../look.js").Neuron} neuron */
function touches({ layer, source, target }, neuron) {
  return (layer === neuron.layer && target === neuron.unit) || (layer === neuron.layer + 1 && source === neuron.unit);
}
