// The links of the network as SVG paths, touched only where a weight's look has changed.
import { linkOpacity, linkPath, linkWidth, strongest, weightOffsets } from "./links.js";

/** @typedef {import("./links.js").Link} Link */

/** More lines than this can't be told apart; only the strongest are drawn, and the panel says so. */
export const MOST_LINKS = 1200;
const SVG = "http://www.w3.org/2000/svg";

export class LinkLayer {
  /** @type {{element: SVGPathElement, link: Link, width: number, opacity: number, positive: boolean | null}[]} */
  #paths = [];
  /** @type {Set<number>} */
  #drawn = new Set();
  /** @type {number[]} */
  #sizes = [];
  #offsets = [0];
  #chosenAt = 0;
  /** @type {((link: {layer: number, source: number, target: number}) => boolean) | null} */
  #near = null;

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.svg = svg;
  }

  /** How many links the network has. */
  get total() {
    return this.#offsets.at(-1) ?? 0;
  }

  /**
   * Lay the links anew.
   * @param {number[]} sizes
   * @param {import("./layout.js").Layout} layout
   * @param {ArrayLike<number>} weights
   */
  build(sizes, layout, weights) {
    this.#sizes = sizes;
    this.#offsets = weightOffsets(sizes);
    this.layout = layout;
    this.#choose(weights);
  }

  /** Make paths for the links that are drawn. @param {ArrayLike<number>} weights */
  #choose(weights) {
    const layout = /** @type {import("./layout.js").Layout} */ (this.layout);
    const chosen = strongest(weights, MOST_LINKS);
    this.#drawn = new Set(chosen);
    this.#chosenAt = performance.now();
    let layer = 1;
    this.#paths = chosen.map((index) => {
      while (index >= this.#offsets[layer]) layer++;
      const within = index - this.#offsets[layer - 1];
      const targets = this.#sizes[layer];
      const link = { layer, source: Math.floor(within / targets), target: within % targets, index };
      return { element: this.#path(link, layout), link, width: -1, opacity: -1, positive: null };
    });
    this.svg.replaceChildren(...this.#paths.map((path) => path.element));
    this.#dim();
  }

  /** @param {Link} link @param {import("./layout.js").Layout} layout */
  #path(link, layout) {
    const element = document.createElementNS(SVG, "path");
    const half = layout.tile / 2;
    const from = [layout.x[link.layer - 1] + half, layout.y[link.layer - 1][link.source]];
    const to = [layout.x[link.layer] - half, layout.y[link.layer][link.target]];
    element.setAttribute("d", linkPath(from[0], from[1], to[0], to[1]));
    element.dataset.link = `${link.layer}-${link.source}-${link.target}`;
    return element;
  }

  /** @param {ArrayLike<number>} weights */
  update(weights) {
    if (weights.length !== this.total) return;
    if (this.total > MOST_LINKS && performance.now() - this.#chosenAt > 1000) this.#choose(weights);
    for (const path of this.#paths) {
      const value = weights[path.link.index];
      const weight = Number.isFinite(value) ? value : 0; // diverged: a line, but a thin one
      const width = Math.round(linkWidth(weight) * 20) / 20;
      const opacity = Math.round(linkOpacity(weight) * 50) / 50;
      if (width !== path.width) path.element.setAttribute("stroke-width", String((path.width = width)));
      if (opacity !== path.opacity) path.element.setAttribute("stroke-opacity", String((path.opacity = opacity)));
      if (weight >= 0 !== path.positive) {
        path.positive = weight >= 0;
        path.element.classList.toggle("positive", path.positive);
        path.element.classList.toggle("negative", !path.positive);
      }
    }
  }

  /**
   * Dim all links but those that `near` names; null: none is dimmed.
   * @param {((link: {layer: number, source: number, target: number}) => boolean) | null} near
   */
  highlight(near) {
    this.#near = near;
    this.#dim();
  }

  #dim() {
    for (const { element, link } of this.#paths)
      element.classList.toggle("dim", this.#near !== null && !this.#near(link));
  }

  /** Whether a link is among those that are drawn. @param {{layer: number, source: number, target: number}} link */
  draws({ layer, source, target }) {
    return this.#drawn.has(this.#offsets[layer - 1] + source * this.#sizes[layer] + target);
  }
}
