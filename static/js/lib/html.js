// Templates without a build step: `html` builds Preact nodes from a tagged template.
import htm from "../../vendor/htm/htm.js";
import { h } from "../../vendor/preact/preact.js";

/** @typedef {import("../../vendor/preact/preact.js").VNode<any>} Node */

export const html = /** @type {(strings: TemplateStringsArray, ...values: any[]) => any} */ (htm.bind(h));
