import assert from "node:assert/strict";
import test from "node:test";
import { explainFault, explainFaults, explainProblem } from "../../../static/js/lib/explain.js";
import { checkValue, difference, readHash, sameValue, writeHash } from "../../../static/js/lib/settings.js";

const dense = (...sizes) => sizes.map((units) => ({ type: "dense", units }));
const FIELDS = {
  rate: { type: "float", default: 0.01, min: 0.00001, max: 10 },
  batch: { type: "int", default: 10, min: 1, max: 250 },
  data: { type: "choice", default: "circle", choices: ["circle", "xor"] },
  inputs: {
    type: "list",
    default: ["x", "y"],
    min_length: 1,
    max_length: 7,
    item: { type: "choice", choices: ["x", "y", "xy"] },
  },
  layers: {
    type: "list",
    default: dense(4, 3),
    min_length: 0,
    max_length: 8,
    item: {
      type: "layer",
      usual: "dense",
      kinds: {
        dense: {
          title: "layer.dense",
          short: "units",
          fields: { units: { type: "int", default: 4, min: 1, max: 32 } },
        },
        conv: {
          title: "layer.conv",
          short: "filters",
          fields: {
            filters: { type: "int", default: 8, min: 1, max: 64 },
            padding: { type: "choice", default: "same", choices: ["same", "valid"] },
          },
        },
        flatten: { title: "layer.flatten", short: null, fields: {} },
      },
    },
  },
};
const defaults = () => Object.fromEntries(Object.entries(FIELDS).map(([name, field]) => [name, field.default]));
const t = (key, values = {}) => `${key}${JSON.stringify(values)}`;
const words = (key, values = {}) =>
  ({
    "setting.layers": "Hidden layers",
    "setting.rate": "Learning rate",
    "fault.layer": `${values.label}, layer ${values.n}`,
    "fault.neurons_many": `${values.where}: ${values.value} neurons is too many. ${values.works}`,
    "fault.value": `${values.where}: ${values.value} does not work. ${values.works}`,
    "fault.whole": `${values.min} to ${values.max} work.`,
    "fault.range": `${values.min} to ${values.max} work.`,
  })[key] ?? key;

test("the hash carries only what differs, readably", () => {
  const settings = { rate: 0.5, batch: 10, data: "circle", inputs: ["x", "y"], layers: dense(128, 64) };
  assert.equal(writeHash(settings, FIELDS, { page: "digits" }), "#page=digits&rate=0.5&layers=128,64");
});

test("nothing differs: no hash at all", () => {
  const { settings } = readHash("", FIELDS);
  assert.equal(writeHash(settings, FIELDS), "");
});

test("what is written is read again", () => {
  const settings = { rate: 0.5, batch: 25, data: "xor", inputs: ["xy"], layers: [] };
  assert.deepEqual(readHash(writeHash(settings, FIELDS), FIELDS), { settings, faults: [] });
});

test("an older address says hidden", () => {
  assert.deepEqual(readHash("#hidden=8,2", FIELDS), { settings: { ...defaults(), layers: dense(8, 2) }, faults: [] });
});

test("a layer of another kind is written with its name and what it has otherwise", () => {
  const layers = [
    ...dense(4),
    { type: "conv", filters: 16, padding: "same" },
    { type: "conv", filters: 8, padding: "valid" },
  ];
  const written = "#layers=4,conv:filters=16,conv:filters=8:padding=valid";
  assert.equal(writeHash({ ...defaults(), layers }, FIELDS), written);
  assert.deepEqual(readHash(written, FIELDS), { settings: { ...defaults(), layers }, faults: [] });
});

test("settings are compared however deep they are", () => {
  assert.ok(sameValue(dense(4, 3), dense(4, 3)));
  for (const other of [dense(4), dense(4, 2), [4, 3], [{ type: "dense" }, null], {}, null]) {
    assert.ok(!sameValue(dense(4, 3), other), JSON.stringify(other));
    assert.ok(!sameValue(other, dense(4, 3)), JSON.stringify(other));
  }
});

test("broken values are named and the defaults used", () => {
  const { settings, faults } = readHash("#rate=abc&batch=2.5&data=moon&inputs=&layers=4,99&colour=1", FIELDS);
  assert.deepEqual(settings, { rate: 0.01, batch: 10, data: "circle", inputs: ["x", "y"], layers: dense(4, 3) });
  assert.deepEqual(
    faults.map(({ field, why, item }) => [field, why, item]),
    [
      ["rate", "value", undefined],
      ["batch", "value", undefined],
      ["data", "value", undefined],
      ["inputs", "count", undefined],
      ["layers", "value", 1],
      ["colour", "unknown", undefined],
    ],
  );
});

for (const [name, text] of [
  ["rate", "NaN"],
  ["rate", "Infinity"],
  ["rate", "-1"],
  ["batch", "0"],
  ["layers", "1,1,1,1,1,1,1,1,1"],
  ["layers", "conv:filters=65"],
  ["layers", "conv:colour=3"],
  ["layers", "lstm:units=4"],
  ["hidden", "1,1,1,1,1,1,1,1,1"],
  ["inputs", "x,x"],
  ["layers", "4,,3"],
  ["rate", ""],
]) {
  test(`${name}=${text} is refused`, () => assert.equal(readHash(`#${name}=${text}`, FIELDS).faults.length, 1));
}

test("names from Object.prototype are no settings", () => {
  assert.equal(readHash("#constructor=1&__proto__=2", FIELDS).faults.length, 2);
});

test("a value that fits has no fault", () => {
  assert.equal(checkValue("layers", FIELDS.layers, dense(32, 1)), null);
});

test("the difference of settings compares lists by value", () => {
  assert.deepEqual(difference({ layers: dense(4, 3), rate: 1 }, { layers: dense(4, 3), rate: 2 }), { rate: 2 });
});

test("a server's refusal names the layer, the number and what would work", () => {
  const problem = {
    code: "bad_value",
    message: "…",
    values: { where: "layers[1].units", detail: "99 is too many; 1 to 32 work" },
  };
  assert.equal(
    explainProblem(problem, words, () => true, { layers: dense(4, 99) }, FIELDS),
    "Hidden layers, layer 2: 99 neurons is too many. 1 to 32 work.",
  );
});

test("a refused number is named by its label with its range", () => {
  const problem = { code: "bad_value", message: "…", values: { where: "rate", detail: "" } };
  assert.equal(
    explainProblem(problem, words, () => true, { rate: 99 }, FIELDS),
    "Learning rate: 99 does not work. 0.00001 to 10 work.",
  );
});

test("a refused weight is told its limit, from the server's own words", () => {
  const problem = { code: "bad_value", message: "…", values: { where: "value", detail: "Expected `float` <= 1000.0" } };
  assert.equal(
    explainProblem(problem, t, () => true, { value: 5000 }, FIELDS),
    'fault.at_most{"where":"field.value{}","limit":"1000"}',
  );
});

test("a problem without a catalogue entry falls back to the server's own sentence", () => {
  assert.equal(
    explainProblem({ code: "odd", message: "As the server says." }, t, () => false),
    "As the server says.",
  );
});

test("an unknown name of the address lists what there is", () => {
  assert.match(
    explainFault({ field: "colour", value: "1", why: "unknown" }, FIELDS, t),
    /fault\.unknown.*"names":"“colour”".*rate, batch, data/,
  );
});

test("all unknown names share one sentence, and what is known is listed once", () => {
  const { faults } = readHash("#colour=1&size=2&colour=3&rate=much", FIELDS);
  const sentences = explainFaults(faults, FIELDS, t);
  assert.equal(sentences.length, 2);
  assert.match(sentences[0], /^fault\.value/);
  assert.match(sentences[1], /"n":2,"names":"“colour”, “size”".*rate, batch, data/);
});

test("a layer without a number of its own stands in an address by its name", () => {
  const layers = [...dense(4), { type: "flatten" }];
  const hash = writeHash({ ...defaults(), layers }, FIELDS, {});
  assert.equal(decodeURIComponent(hash), "#layers=4,flatten");
  assert.deepEqual(readHash(hash, FIELDS, []).settings.layers, layers);
});
