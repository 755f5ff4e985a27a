import assert from "node:assert/strict";
import test from "node:test";
import { fromPlayground } from "../../../../static/js/kinds/points/playground.js";

const dense = (...sizes) => sizes.map((units) => ({ type: "dense", units }));
const FIELDS = {
  activation: { type: "choice", choices: ["relu", "tanh", "sigmoid", "linear"] },
  regularization: { type: "choice", choices: ["none", "l1", "l2"] },
  regularization_rate: { type: "float", min: 0, max: 10 },
  rate: { type: "float", min: 0.00001, max: 10 },
  data: { type: "choice", choices: ["circle", "xor", "gauss", "spiral"] },
  noise: { type: "float", min: 0, max: 0.5 },
  share: { type: "float", min: 0.1, max: 0.9 },
  batch: { type: "int", min: 1, max: 250 },
  inputs: { type: "list", item: { type: "choice" } },
  layers: {
    type: "list",
    max_length: 8,
    item: { type: "layer", usual: "dense", kinds: { dense: { short: "units", fields: { units: { max: 32 } } } } },
  },
};

test("every setting that has an equal here is taken", () => {
  const found = fromPlayground(
    "#activation=relu&regularization=L2&regularizationRate=0.003&batchSize=5&dataset=spiral&learningRate=0.1" +
      "&noise=35&networkShape=6,4&percTrainData=70&x=true&y=false&xTimesY=true&sinX=true&showTestData=true&seed=0.1",
    FIELDS,
  );
  assert.deepEqual(found?.settings, {
    activation: "relu",
    data: "spiral",
    regularization: "l2",
    rate: 0.1,
    regularization_rate: 0.003,
    noise: 0.35,
    share: 0.7,
    batch: 5,
    inputs: ["x", "xy", "sinx"],
    layers: dense(6, 4),
    optimizer: "sgd",
  });
  assert.deepEqual(found?.view, { unseen: "1" });
});

test("where the link is silent, what holds there holds here", () => {
  const { settings } = fromPlayground("dataset=xor", FIELDS) ?? {};
  assert.deepEqual(
    [settings?.rate, settings?.layers, settings?.batch, settings?.noise, settings?.inputs],
    [0.03, dense(4, 2), 10, 0, ["x", "y"]],
  );
});

test("an empty shape is a network without hidden layers", () => {
  assert.deepEqual(fromPlayground("networkShape=", FIELDS)?.settings.layers, []);
});

test("what doesn't work is brought within the limits", () => {
  const link = "learningRate=99&noise=80&percTrainData=100&batchSize=many&networkShape=99,x,2&activation=magic";
  const { settings } = fromPlayground(link, FIELDS) ?? {};
  assert.deepEqual(
    [settings?.rate, settings?.noise, settings?.share, settings?.batch, settings?.layers, settings?.activation],
    [10, 0.5, 0.9, 10, dense(32, 2), "tanh"],
  );
});

test("an address of this page is no such link", () => {
  assert.equal(fromPlayground("#activation=relu&noise=0.2&batch=5&layers=8,8", FIELDS), null);
});
