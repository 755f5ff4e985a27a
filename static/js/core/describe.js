// What the server says about itself: settings with their choices and limits, the wire's numbers.

/**
 * @typedef {object} Field
 * @property {"choice" | "int" | "float" | "list"} type
 * @property {any} default
 * @property {(string | number)[]} [choices]
 * @property {number} [min]
 * @property {number} [max]
 * @property {Field} [item]
 * @property {number} [min_length]
 * @property {number} [max_length]
 *
 * @typedef {Record<string, Field>} Fields
 * @typedef {Record<string, any>} Settings
 * @typedef {"points" | "digits"} Kind
 *
 * @typedef {object} Description
 * @property {Record<string, Fields>} settings
 * @property {Record<string, Record<string, number>>} pace Batches and epochs a second of the speeds, per kind.
 * @property {import("../lib/frame.js").Wire} wire
 * @property {string} version
 * @property {number} fps Frames a second that the server sends at most.
 * @property {"en" | "zh"} lang The language that the server has chosen for this reader.
 */

const block = document.getElementById("describe");
if (!block) throw new Error("the page has no block #describe");

/** @type {Description} */
export const description = JSON.parse(block.textContent ?? "");

/**
 * The settings fields of a kind of page, e.g. fields("points").noise.max.
 * @param {Kind} kind
 * @returns {Fields}
 */
export function fields(kind) {
  return description.settings[kind];
}

/**
 * The settings that a fresh run of this kind has.
 * @param {Kind} kind
 * @returns {Settings}
 */
export function defaults(kind) {
  return Object.fromEntries(Object.entries(fields(kind)).map(([name, field]) => [name, field.default]));
}
