// Hidden layers: adding and removing them and their neurons, and how an address writes them.

/**
 * @typedef {import("../core/describe.js").Field} Field
 * @typedef {{type: string, [field: string]: any}} Layer One hidden layer, as settings hold it.
 *
 * @typedef {object} LayerKind A kind of layer, as the server describes it.
 * @property {string} title The key of its name.
 * @property {string | null} short The field that stands for the whole layer, e.g. its number of neurons, if one does.
 * @property {Record<string, Field>} fields
 */

/** The kind of a layer; that of a bare number for one that isn't known. @param {Field} field Of the setting `layers`. @param {Layer} [layer] @returns {LayerKind} */
export function kindOfLayer({ item }, layer) {
  const { kinds, usual } = /** @type {{kinds: Record<string, LayerKind>, usual: string}} */ (item);
  return kinds[layer && Object.hasOwn(kinds, layer.type) ? layer.type : usual];
}

/** Whether a layer is of the kind that a bare number means. @param {Field} field @param {Layer} layer */
export function isUsual({ item }, layer) {
  return layer.type === item?.usual;
}

/** The number that stands for a layer, e.g. of its neurons; NaN if none does. @param {Field} field @param {Layer} layer @returns {number} */
export function sizeOf(field, layer) {
  return layer[kindOfLayer(field, layer).short ?? ""] ?? NaN;
}

/** @param {Field} field @param {Layer[]} layers @returns {number[]} */
export function sizesOf(field, layers) {
  return layers.map((layer) => sizeOf(field, layer));
}

/** Layers of the usual kind with these numbers of neurons. @param {Field} field @param {number[]} sizes @returns {Layer[]} */
export function layersOf(field, sizes) {
  return sizes.map((size) => ({ type: String(field.item?.usual), [String(kindOfLayer(field).short)]: size }));
}

/**
 * The next smaller or larger size of a layer, or null at the limit.
 * @param {number} size
 * @param {1 | -1} direction
 * @param {{min?: number, max?: number}} limits
 * @param {number[]} [steps] Sizes to step through, in order; without them it counts by one.
 * @returns {number | null}
 */
export function nextSize(size, direction, { min = 1, max = Infinity }, steps = []) {
  let next = size + direction;
  if (steps.length > 0) {
    const sizes = direction > 0 ? steps : [...steps].reverse();
    next = sizes.find((candidate) => (candidate - size) * direction > 0) ?? (direction > 0 ? Infinity : min);
  }
  return next >= min && next <= max && next !== size ? next : null;
}

/** The layers with one more. @param {Field} field @param {Layer[]} layers @returns {Layer[]} */
export function withLayer(field, layers) {
  return [...layers, /** @type {Layer} */ (field.new)];
}

/** @param {Field} field @param {Layer[]} layers @param {number} index @param {number} size @returns {Layer[]} */
export function withSize(field, layers, index, size) {
  return layers.map((layer, at) =>
    at === index ? { ...layer, [String(kindOfLayer(field, layer).short)]: size } : layer,
  );
}
