// Turns a fault or a server's problem into one sentence: what, where, what would work.
import { kindOfLayer } from "./layers.js";
import { shortNumber } from "./text.js";

const LONGEST_NAME = 24;
const MOST_NAMES = 6;

/**
 * @typedef {import("./settings.js").Fault} Fault
 * @typedef {import("../core/describe.js").Field} Field
 * @typedef {import("../core/describe.js").Fields} Fields
 * @typedef {import("../core/stream.js").Problem} Problem
 * @typedef {(key: string, values?: Record<string, string | number>) => string} Translate
 */

/**
 * The fault that a server's problem names in `values.where`, e.g. "layers[1].units" or "settings.rate"; null if none.
 * @param {Problem} problem
 * @param {Record<string, any>} [sent] The patch that was refused.
 * @param {Fields} [fields]
 * @returns {Fault | null}
 */
function faultOf(problem, sent = {}, fields = {}) {
  const match = /^(?:settings\.)?(\w+)(?:\[(\d+)\])?(?:\.(\w+))?$/.exec(String(problem.values?.where ?? ""));
  if (!match || !Object.hasOwn(fields, match[1])) return null;
  const [, field, index, part] = match;
  const item = index === undefined ? undefined : Number(index);
  const whole = sent[field];
  const detail = String(problem.values?.detail ?? "");
  if (item === undefined && Array.isArray(whole)) return { field, value: whole.length, why: "count", detail };
  const value = item === undefined ? whole : whole?.[item];
  if (part === undefined) return { field, item, value, why: "value", detail };
  return { field, item, layer: value?.type, part, value: value?.[part], why: "value", detail };
}

/**
 * What to say about an address: a sentence for each broken value, one for all names that are no settings.
 * @param {Fault[]} faults
 * @param {Fields} fields
 * @param {Translate} t
 * @returns {string[]}
 */
export function explainFaults(faults, fields, t) {
  const names = new Set(faults.filter(({ why }) => why === "unknown").map(({ field }) => field.slice(0, LONGEST_NAME)));
  const sentences = faults.filter(({ why }) => why !== "unknown").map((fault) => explainFault(fault, fields, t));
  if (names.size > 0) sentences.push(unknown([...names], fields, t));
  return sentences;
}

/** @param {string[]} names @param {Fields} fields @param {Translate} t */
function unknown(names, fields, t) {
  const shown = names.slice(0, MOST_NAMES).map((name) => `“${name}”`);
  if (names.length > MOST_NAMES) shown.push("…");
  return t("fault.unknown", { n: names.length, names: shown.join(", "), works: Object.keys(fields).join(", ") });
}

/**
 * One sentence for a fault of a setting.
 * @param {Fault} fault
 * @param {Fields} fields
 * @param {Translate} t
 */
export function explainFault(fault, fields, t) {
  const field = fields[fault.field];
  if (fault.why === "unknown" || !field) {
    return unknown([fault.field], fields, t);
  }
  const label = t(`setting.${fault.field}`);
  const where = fault.item === undefined ? label : t(itemKey(fault.field), { label, n: fault.item + 1 });
  if (fault.why === "count") {
    return t("fault.count", { where, value: fault.value, min: field.min_length ?? 0, max: field.max_length ?? "∞" });
  }
  if (fault.why === "twice") return t("fault.twice", { where });
  const one = partOf(field, fault);
  const { min = -Infinity, max = Infinity } = one;
  const values = { where, value: show(fault.value), works: works(one, t) };
  if (fault.part === "units" && Number.isInteger(fault.value) && (fault.value > max || fault.value < min)) {
    return t(fault.value > max ? "fault.neurons_many" : "fault.neurons_few", values);
  }
  return t("fault.value", values);
}

/**
 * One sentence for whatever the server refused.
 * @param {Problem} problem
 * @param {Translate} t
 * @param {(key: string) => boolean} known
 * @param {Record<string, any>} [sent]
 * @param {Fields} [fields]
 */
export function explainProblem(problem, t, known, sent, fields) {
  const fault = faultOf(problem, sent, fields);
  if (fault) return explainFault(fault, /** @type {Fields} */ (fields), t);
  const bound = /([<>])=? (-?[\d.]+)/.exec(String(problem.values?.detail ?? ""));
  if (problem.code === "bad_value" && bound) {
    const field = `field.${problem.values?.where}`;
    const where = known(field) ? t(field) : String(problem.values?.where);
    return t(bound[1] === "<" ? "fault.at_most" : "fault.at_least", { where, limit: shortNumber(Number(bound[2])) });
  }
  const key = `error.${problem.code}`;
  return known(key) ? t(key, { message: problem.message, ...problem.values }) : problem.message;
}

/** @param {string} field */
function itemKey(field) {
  return field === "layers" ? "fault.layer" : "fault.item";
}

/** @param {any} value */
function show(value) {
  if (value === undefined || value === null) return "?";
  return typeof value === "number" ? shortNumber(value) : `“${String(value).slice(0, 40)}”`;
}

/** What the refused value is checked against: the field, an item of it, or a field of a layer. @param {Field} field @param {Fault} fault @returns {Field} */
function partOf(field, { layer, part }) {
  const item = field.item ?? field;
  if (item.type !== "layer") return item;
  const kind = kindOfLayer(field, layer === undefined ? undefined : { type: layer });
  return kind.fields[part ?? kind.short ?? ""] ?? item;
}

/** @param {Field} one @param {Translate} t @returns {string} */
function works(one, t) {
  if (one.type === "choice") return t("fault.choices", { choices: (one.choices ?? []).join(", ") });
  const range = { min: shortNumber(one.min ?? -Infinity), max: shortNumber(one.max ?? Infinity) };
  return t(one.type === "int" ? "fault.whole" : "fault.range", range);
}
