import assert from "node:assert/strict";
import test from "node:test";
import { Plateau, patience, suggestion } from "../../../../static/js/kinds/points/plateau.js";

const dense = (...sizes) => sizes.map((units) => ({ type: "dense", units }));
const LAYERS = {
  type: "list",
  item: { type: "layer", usual: "dense", kinds: { dense: { short: "units", fields: {} } } },
};
const SPIRAL = { data: "spiral", inputs: ["x", "y"], layers: dense(4, 3), rate: 0.01, optimizer: "adam" };
/** The training loss of SPIRAL, second by second, as it was measured. */
const MEASURED = [0.55, 0.424, 0.358, 0.338, 0.326, 0.319, 0.315, 0.313, 0.311, 0.31, 0.31, 0.307, 0.307, 0.308];

test("a spiral that a small network can't learn is noticed after about ten seconds", () => {
  const plateau = new Plateau();
  const stuck = MEASURED.findIndex((loss, second) => plateau.add(loss, 1000 * second, patience(SPIRAL)));
  assert.ok(stuck >= 8 && stuck <= 11, `noticed after ${stuck} s`);
});

test("a loss that goes on falling slowly isn't stuck", () => {
  const plateau = new Plateau();
  for (let second = 0; second < 60; second++) assert.equal(plateau.add(0.95 ** second, 1000 * second), false);
});

for (const [optimizer, rate] of [
  ["sgd", 10],
  ["momentum", 1],
  ["adam", 0.1],
]) {
  test(`${optimizer} with the rate ${rate}: a dead network is noticed within five seconds and helped`, () => {
    const settings = { ...SPIRAL, data: "circle", optimizer, rate };
    const plateau = new Plateau();
    const stuck = [0, 1, 2, 3, 4, 5].find((second) => plateau.add(0.904, 1000 * second, patience(settings)));
    assert.ok(stuck !== undefined && stuck <= 5);
    const help = suggestion(settings, LAYERS, () => 77);
    assert.deepEqual(help, { key: "hint.jumps", patch: { rate: rate / 10, weight_seed: 77 } });
  });
}

test("a usual rate gets no such hint", () => {
  assert.equal(
    suggestion({ ...SPIRAL, data: "circle", layers: dense(8, 8) }, LAYERS, () => 77),
    null,
  );
});

test("one click gives a spiral waves and neurons together", () => {
  const help = suggestion(SPIRAL, LAYERS, () => 77);
  assert.deepEqual(help?.patch, { inputs: ["x", "y", "sinx", "siny"], layers: dense(8, 8) });
});

test("a network that is large enough keeps its layers", () => {
  const help = suggestion({ ...SPIRAL, layers: dense(8, 8, 8) }, LAYERS, () => 77);
  assert.deepEqual(help?.patch, { inputs: ["x", "y", "sinx", "siny"] });
});

test("progress, or a change, starts the clock anew", () => {
  const plateau = new Plateau();
  assert.equal(plateau.add(0.5, 0), false);
  assert.equal(plateau.add(0.499, 7_999), false);
  assert.equal(plateau.add(0.499, 8_000), true);
  assert.equal(plateau.add(0.3, 8_100), false);
  plateau.clear();
  assert.equal(plateau.add(0.3, 50_000), false);
});
