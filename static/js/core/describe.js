// What the server says about itself: settings with their choices and limits, the wire's numbers.

/**
 * @typedef {object} Field
 * @property {"choice" | "int" | "float" | "list" | "layer"} type
 * @property {any} default
 * @property {(string | number)[]} [choices]
 * @property {number} [min]
 * @property {number} [max]
 * @property {Field} [item]
 * @property {number} [min_length]
 * @property {number} [max_length]
 * @property {Record<string, import("../lib/layers.js").LayerKind>} [kinds] Of "layer": what it can be.
 * @property {string} [usual] The kind that a bare number means.
 * @property {import("../lib/layers.js").Layer} [new] Of `layers`: the one that is added.
 * @property {number[]} [steps] Numbers of neurons to step through; none: one by one.
 *
 * @typedef {Record<string, Field>} Fields
 * @typedef {Record<string, any>} Settings
 * @typedef {string} Kind The name of a kind of page.
 *
 * @typedef {object} KindDescription
 * @property {Kind} name
 * @property {string} path Of its page.
 * @property {string} title Key of its name among the texts.
 * @property {string} module Address of its part of the page, see kinds.js.
 * @property {Fields} settings
 * @property {Record<string, number>} pace Batches and epochs a second of the speeds.
 * @property {LensDescription[]} lenses In the order of their keys.
 *
 * @typedef {object} LensDescription One way to look at a run.
 * @property {string} name
 * @property {string} key "1" to "7", which opens it.
 * @property {string} title Key of its name among the texts.
 * @property {string} module Address of its part of the page.
 * @property {string[]} styles Addresses of its style sheets.
 *
 * @typedef {object} Description
 * @property {Kind} page The kind of page that the server was asked for.
 * @property {KindDescription[]} kinds In the order of the navigation.
 * @property {import("../lib/frame.js").Wire} wire
 * @property {{code: string, name: string, html: string}[]} languages `name`: on the button that chooses it.
 * @property {string} lang Code of the language that the server has chosen for this reader.
 */

const block = document.getElementById("describe");
if (!block) throw new Error("the page has no block #describe");

/** @type {Description} */
export const description = JSON.parse(block.textContent ?? "");

/**
 * What the server says about a kind of page. Throws for a name that it hasn't told.
 * @param {Kind} name
 * @returns {KindDescription}
 */
export function kindOf(name) {
  const found = description.kinds.find((kind) => kind.name === name);
  if (!found) throw new Error(`the server knows no kind of page called "${name}"`);
  return found;
}

/**
 * The settings fields of a kind of page, e.g. fields(run.kind).batch.max.
 * @param {Kind} kind
 * @returns {Fields}
 */
export function fields(kind) {
  return kindOf(kind).settings;
}

/**
 * The settings that a fresh run of this kind has.
 * @param {Kind} kind
 * @returns {Settings}
 */
export function defaults(kind) {
  return Object.fromEntries(Object.entries(fields(kind)).map(([name, field]) => [name, field.default]));
}
