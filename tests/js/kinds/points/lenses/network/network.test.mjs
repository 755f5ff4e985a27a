// Where neurons stand, and how the lines between them look and are found.
import assert from "node:assert/strict";
import test from "node:test";
import { layoutNetwork } from "../../../../../../static/js/kinds/points/lenses/network/layout.js";
import {
  linkOpacity,
  linkPath,
  linkWidth,
  nearestLink,
  rise,
  strongest,
  weightOffsets,
} from "../../../../../../static/js/kinds/points/lenses/network/links.js";
import { unitOffsets } from "../../../../../../static/js/kinds/points/units.js";

const ROOM = { width: 720, height: 340, left: 60, header: 124, touch: false, below: 97 };

test("a line's width and opacity stay within their bounds", () => {
  assert.equal(linkWidth(0), 0.6);
  assert.ok(linkWidth(-100) <= 6 && linkWidth(-100) > 5.99);
  assert.equal(linkOpacity(0), 0.22);
  assert.ok(linkOpacity(50) <= 0.9 + 1e-12);
  assert.equal(linkWidth(-1.5), linkWidth(1.5));
});

test("offsets count over all layers", () => {
  assert.deepEqual(unitOffsets([2, 4, 3, 1]), [0, 2, 6, 9, 10]);
  assert.deepEqual(weightOffsets([2, 4, 3, 1]), [0, 8, 20, 23]);
});

test("the default network fits its panel without scrolling", () => {
  const layout = layoutNetwork([2, 4, 3, 1], ROOM);
  assert.equal(layout.width, ROOM.width);
  assert.equal(layout.height, ROOM.height);
  assert.ok(layout.tile >= 50);
  for (const column of layout.y) {
    assert.ok(column[0] - layout.tile / 2 >= 0 && column[column.length - 1] + layout.tile / 2 <= layout.height);
  }
  assert.ok(layout.y[0][1] + layout.pitch / 2 + ROOM.below <= layout.height + 0.01);
});

for (const sizes of [
  [7, 32, 32, 32, 32, 32, 32, 32, 32, 1],
  [1, 1],
  [7, 1],
  [2, 8, 8, 8, 8, 6, 4, 1],
]) {
  test(`columns and neurons of ${sizes.join("-")} don't overlap`, () => {
    const layout = layoutNetwork(sizes, { ...ROOM, header: 68 });
    for (const column of layout.y)
      for (let row = 1; row < column.length; row++) assert.ok(column[row] - column[row - 1] > layout.tile);
    for (let column = 1; column < layout.x.length; column++) assert.ok(layout.x[column] - layout.x[column - 1] >= 67.9);
    assert.ok(layout.tile >= 8);
  });
}

test("with a finger neurons are at least 44 pixels large", () => {
  assert.ok(layoutNetwork([2, 8, 8, 1], { ...ROOM, width: 366, touch: true }).tile >= 44);
});

test("the pointer's link is found on the very curve that is drawn", () => {
  const layout = layoutNetwork([2, 4, 3, 1], ROOM);
  const half = layout.tile / 2;
  const [from, to] = [layout.x[1] + half, layout.x[2] - half];
  const t = 0.3; // a point of the Bezier curve from neuron 0 to neuron 2
  const x = from + (to - from) * (1.5 * t * (1 - t) + t ** 3);
  const y = layout.y[1][0] + (layout.y[2][2] - layout.y[1][0]) * (3 * t * t - 2 * t ** 3);
  assert.deepEqual(nearestLink(layout, x, y, 4), { layer: 2, source: 0, target: 2 });
  assert.equal(
    nearestLink(layout, x, y, 4, () => false),
    null,
  );
  assert.equal(nearestLink(layout, layout.x[1], layout.y[1][0], 4), null);
  assert.equal(nearestLink(layout, x, -50, 9), null);
});

test("a curve starts and ends level and half way up in the middle", () => {
  assert.ok(Math.abs(rise(0.5) - 0.5) < 1e-6);
  assert.ok(rise(0.01) < 0.001 && rise(0.99) > 0.999);
  assert.equal(linkPath(0, 10, 100, 50), "M0 10C50 10 50 50 100 50");
});

test("only the strongest weights are drawn, in their order", () => {
  assert.deepEqual(strongest([0.1, -5, 2, 0.2], 2), [1, 2]);
  assert.deepEqual(strongest([0.1, -5], 10), [0, 1]);
});
