// Settings against the server's description: checking a value, reading and writing the URL's hash.
import { layerText, readLayer } from "./layertext.js";

/**
 * @typedef {import("../core/describe.js").Field} Field
 * @typedef {import("../core/describe.js").Fields} Fields
 * @typedef {import("../core/describe.js").Settings} Settings
 *
 * @typedef {object} Fault What is wrong with a value, for lib/explain.js.
 * @property {string} field
 * @property {number} [item] Index in a list.
 * @property {string} [layer] The kind of layer of that item, and
 * @property {string} [part] the field of it.
 * @property {any} [value] The value that was refused.
 * @property {string} [detail] The server's own words.
 * @property {"value" | "unknown" | "count" | "twice"} why
 */

/**
 * What is wrong with `value` for `field`, or null.
 * @param {string} name
 * @param {Field} field
 * @param {any} value
 * @returns {Fault | null}
 */
export function checkValue(name, field, value) {
  if (field.type === "choice") return field.choices?.includes(value) ? null : { field: name, value, why: "value" };
  if (field.type === "int" || field.type === "float") {
    const fits = Number.isFinite(value) && value >= (field.min ?? -Infinity) && value <= (field.max ?? Infinity);
    return fits && (field.type === "float" || Number.isInteger(value)) ? null : { field: name, value, why: "value" };
  }
  if (field.type === "layer") return checkLayer(name, field, value);
  if (value.length < (field.min_length ?? 0) || value.length > (field.max_length ?? Infinity)) {
    return { field: name, value: value.length, why: "count" };
  }
  for (const [item, part] of value.entries()) {
    const fault = field.item ? checkValue(name, field.item, part) : null;
    if (fault) return { ...fault, item };
  }
  const twice = field.item?.type === "choice" && new Set(value).size !== value.length;
  return twice ? { field: name, value: value.join(","), why: "twice" } : null;
}

/** @param {string} name @param {Field} item @param {any} layer @returns {Fault | null} */
function checkLayer(name, { kinds = {} }, layer) {
  if (!Object.hasOwn(kinds, layer?.type ?? "")) return { field: name, value: layer, why: "value" };
  for (const [part, field] of Object.entries(kinds[layer.type].fields)) {
    const fault = checkValue(name, field, layer[part]);
    if (fault) return { ...fault, layer: layer.type, part };
  }
  return null;
}

/**
 * One text of the hash as a value of `field`; what can't be read stays text, so that checkValue refuses it.
 * @param {Field} field
 * @param {string} text
 * @returns {any}
 */
function readValue(field, text) {
  if (field.type === "list") {
    const item = /** @type {Field} */ (field.item);
    return text === "" ? [] : text.split(",").map((part) => readValue(item, part));
  }
  if (field.type === "choice") return text;
  if (field.type === "layer") return readLayer(field, text, readValue);
  return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text);
}

/**
 * The settings that the hash carries. A broken value is left at its default and named in `faults`.
 * @param {string} hash With or without the "#".
 * @param {Fields} fields
 * @param {string[]} [others] Keys that other parts of the page read.
 * @returns {{settings: Settings, faults: Fault[]}}
 */
export function readHash(hash, fields, others = ["page"]) {
  /** @type {Settings} */
  const settings = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.default]));
  /** @type {Fault[]} */
  const faults = [];
  for (const [written, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const name = nameOfNow(written, fields);
    if (others.includes(name)) continue;
    if (!Object.hasOwn(fields, name)) {
      faults.push({ field: name, value: text, why: "unknown" });
      continue;
    }
    const value = readValue(fields[name], text);
    const fault = checkValue(name, fields[name], value);
    if (fault) faults.push(fault);
    else settings[name] = value;
  }
  return { settings, faults };
}

/** Older addresses call the layers `hidden`. @param {string} name @param {Fields} fields */
function nameOfNow(name, fields) {
  return name === "hidden" && Object.hasOwn(fields, "layers") ? "layers" : name;
}

/**
 * The hash for `settings`: only what differs from the defaults, readable.
 * @param {Settings} settings
 * @param {Fields} fields
 * @param {Record<string, string>} [others] What other parts of the page want to keep there.
 */
export function writeHash(settings, fields, others = {}) {
  const parts = Object.entries(others).map(([name, value]) => `${name}=${value}`);
  for (const [name, field] of Object.entries(fields)) {
    if (!sameValue(settings[name], field.default)) {
      parts.push(`${name}=${textOf(field, settings[name])}`);
    }
  }
  return parts.length > 0 ? `#${parts.join("&")}` : "";
}

/** @param {Field} field @param {any} value @returns {string} */
function textOf(field, value) {
  if (field.type === "list") {
    const item = /** @type {Field} */ (field.item);
    return value.map((/** @type {any} */ one) => textOf(item, one)).join(",");
  }
  return field.type === "layer" ? layerText(field, value) : String(value);
}

/**
 * What `wanted` has otherwise than `current`.
 * @param {Settings} current
 * @param {Settings} wanted
 * @returns {Settings}
 */
export function difference(current, wanted) {
  return Object.fromEntries(Object.entries(wanted).filter(([name, value]) => !sameValue(value, current[name])));
}

/** Whether two values of settings hold the same, however deep. @param {any} one @param {any} other @returns {boolean} */
export function sameValue(one, other) {
  if (one === other || !isObject(one) || !isObject(other)) return one === other;
  const names = Object.keys(one);
  return (
    Array.isArray(one) === Array.isArray(other) &&
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && sameValue(one[name], other[name]))
  );
}

/** @param {any} value */
function isObject(value) {
  return typeof value === "object" && value !== null;
}
