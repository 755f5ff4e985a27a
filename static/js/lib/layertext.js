// How an address writes a hidden layer: "4", or "tag:field=value:field=value".

/**
 * @typedef {import("../core/describe.js").Field} Field
 * @typedef {import("./layers.js").Layer} Layer
 * @typedef {import("./layers.js").LayerKind} LayerKind
 * @typedef {(field: Field, text: string) => any} Read
 */

/**
 * The layer that a text means; the text itself where it can't be read.
 * @param {Field} item Of the setting `layers`.
 * @param {string} text
 * @param {Read} read Reads one field.
 * @returns {Layer | string}
 */
export function readLayer(item, text, read) {
  const { kinds, usual } = /** @type {{kinds: Record<string, LayerKind>, usual: string}} */ (item);
  const [type, ...parts] = text.split(":");
  if (!Object.hasOwn(kinds, type)) {
    const { short, fields } = kinds[usual];
    if (short === null) return text;
    const size = parts.length === 0 ? read(fields[short], text) : text;
    return typeof size === "number" ? { ...fresh(kinds[usual], usual), [short]: size } : text;
  }
  const layer = fresh(kinds[type], type);
  for (const part of parts) {
    const [name, ...value] = part.split("=");
    if (!Object.hasOwn(kinds[type].fields, name)) return text;
    layer[name] = read(kinds[type].fields[name], value.join("="));
  }
  return layer;
}

/** @param {LayerKind} kind @param {string} type @returns {Layer} */
function fresh({ fields }, type) {
  return { type, ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.default])) };
}

/** @param {Field} item @param {Layer} layer @returns {string} */
export function layerText(item, layer) {
  const { kinds, usual } = /** @type {{kinds: Record<string, LayerKind>, usual: string}} */ (item);
  const { short, fields } = kinds[layer.type];
  const others = Object.keys(fields).filter((name) => name !== short && layer[name] !== fields[name].default);
  if (short !== null && layer.type === usual && others.length === 0) return String(layer[short]);
  const told = short === null ? others : [short, ...others];
  return [layer.type, ...told.map((name) => `${name}=${layer[name]}`)].join(":");
}
