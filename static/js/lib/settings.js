// Settings against the server's description: checking a value, reading and writing the URL's hash.

/**
 * @typedef {import("../core/describe.js").Field} Field
 * @typedef {import("../core/describe.js").Fields} Fields
 * @typedef {import("../core/describe.js").Settings} Settings
 *
 * @typedef {object} Fault What is wrong with a value, for lib/explain.js.
 * @property {string} field
 * @property {number} [item] Index in a list.
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
  for (const [name, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
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
      const value = settings[name];
      parts.push(`${name}=${Array.isArray(value) ? value.join(",") : value}`);
    }
  }
  return parts.length > 0 ? `#${parts.join("&")}` : "";
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

/** @param {any} one @param {any} other */
export function sameValue(one, other) {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((value, index) => value === other[index]);
  }
  return one === other;
}
