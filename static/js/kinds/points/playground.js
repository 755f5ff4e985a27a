// Links of TensorFlow Playground: their settings in this page's words.
import { kindOfLayer, layersOf } from "../../lib/layers.js";

/**
 * @typedef {import("../../core/describe.js").Settings} Settings
 * @typedef {import("../../core/describe.js").Fields} Fields
 */

/** Names that only such a link has; one of them is enough to know it by. */
const MARKS = [
  "networkShape",
  "learningRate",
  "regularizationRate",
  "batchSize",
  "percTrainData",
  "dataset",
  "regDataset",
  "showTestData",
  "discretize",
  "xTimesY",
  "xSquared",
  "ySquared",
  "sinX",
  "sinY",
  "cosX",
  "cosY",
  "collectStats",
  "initZero",
  "hideText",
];

/** Its inputs, in its order: the name there, the name here, whether it is on where the link is silent. */
const INPUTS = [
  { there: "x", here: "x", usual: true },
  { there: "y", here: "y", usual: true },
  { there: "xSquared", here: "x2", usual: false },
  { there: "ySquared", here: "y2", usual: false },
  { there: "xTimesY", here: "xy", usual: false },
  { there: "sinX", here: "sinx", usual: false },
  { there: "sinY", here: "siny", usual: false },
];

/** What holds there where a link is silent. */
const USUAL = {
  activation: "tanh",
  batchSize: "10",
  dataset: "circle",
  learningRate: "0.03",
  networkShape: "4,2",
  noise: "0",
  percTrainData: "50",
  regularization: "none",
  regularizationRate: "0",
};

/**
 * The settings that such a link asks for, null for any other address. What has no equal here (the seed, regression)
 * is left out; words and numbers that don't work are replaced by what holds there without them, or by the limit.
 * @param {string} hash With or without the "#".
 * @param {Fields} fields
 * @returns {import("../../core/kinds.js").ForeignLink | null}
 */
export function fromPlayground(hash, fields) {
  const link = new URLSearchParams(hash.replace(/^#/, ""));
  if (!MARKS.some((name) => link.has(name) && !Object.hasOwn(fields, name))) return null;
  const text = (/** @type {keyof typeof USUAL} */ name) => link.get(name) ?? USUAL[name];
  const word = (/** @type {keyof typeof USUAL} */ name, /** @type {string} */ field) => {
    const wanted = text(name).toLowerCase();
    return fields[field].choices?.includes(wanted) ? wanted : USUAL[name];
  };
  const number = (/** @type {keyof typeof USUAL} */ name, /** @type {string} */ field, scale = 1) =>
    within(Number(text(name)), Number(USUAL[name]), scale, fields[field]);
  const inputs = INPUTS.filter(({ there, usual }) => switchedOn(link, there, usual)).map(({ here }) => here);
  const settings = {
    activation: word("activation", "activation"),
    data: word("dataset", "data"),
    regularization: word("regularization", "regularization"),
    rate: number("learningRate", "rate"),
    regularization_rate: number("regularizationRate", "regularization_rate"),
    noise: number("noise", "noise", 1 / 100),
    share: number("percTrainData", "share", 1 / 100),
    batch: Math.round(number("batchSize", "batch")),
    inputs: inputs.length > 0 ? inputs : ["x", "y"],
    layers: layersOf(fields.layers, shape(text("networkShape"), fields.layers)),
    optimizer: "sgd",
  };
  return { settings, view: viewOf(link), note: "address.playground" };
}

/** @param {URLSearchParams} link @param {string} name @param {boolean} usual */
function switchedOn(link, name, usual) {
  const text = link.get(name);
  return text === null ? usual : text !== "false"; // as it is read there
}

/** @param {URLSearchParams} link @returns {Record<string, string>} */
function viewOf(link) {
  return {
    ...(switchedOn(link, "showTestData", false) ? { unseen: "1" } : {}),
    ...(switchedOn(link, "discretize", false) ? { hard: "1" } : {}),
  };
}

/**
 * @param {number} value
 * @param {number} usual
 * @param {number} scale
 * @param {import("../../core/describe.js").Field} field
 */
function within(value, usual, scale, { min = -Infinity, max = Infinity }) {
  const wanted = Number(((Number.isFinite(value) ? value : usual) * scale).toPrecision(6));
  return Math.min(max, Math.max(min, wanted));
}

/** @param {string} text @param {import("../../core/describe.js").Field} field @returns {number[]} */
function shape(text, field) {
  const { short, fields } = kindOfLayer(field);
  const { max = Infinity } = fields[short ?? ""] ?? {};
  const sizes = text
    .split(",")
    .map(Number)
    .filter((size) => Number.isFinite(size) && size >= 1);
  return sizes.slice(0, field.max_length).map((size) => Math.min(max, Math.floor(size)));
}
