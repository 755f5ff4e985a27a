import assert from "node:assert/strict";
import test from "node:test";
import { diverging, fromOklab, parseColour, toOklab } from "../../../static/js/lib/colour.js";
import { paintMap } from "../../../static/js/lib/heatmap.js";

test("colours are read as they are written", () => {
  assert.deepEqual(parseColour("#f09a4f"), [240, 154, 79]);
  assert.deepEqual(parseColour("rgb(240, 154, 79)"), [240, 154, 79]);
  assert.throws(() => parseColour("orange"), /orange/);
});

test("OKLab there and back gives the same colour", () => {
  for (const colour of [
    [0, 0, 0],
    [255, 255, 255],
    [79, 151, 211],
    [240, 154, 79],
  ]) {
    assert.deepEqual(fromOklab(toOklab(colour)), colour);
  }
});

test("white and red have their published OKLab values", () => {
  const near = (found, wanted) => found.forEach((value, axis) => assert.ok(Math.abs(value - wanted[axis]) < 2e-3));
  near(toOklab([255, 255, 255]), [1, 0, 0]);
  near(toOklab([255, 0, 0]), [0.628, 0.225, 0.126]);
});

test("the table runs from orange over paper to blue", () => {
  const table = diverging([240, 154, 79], [247, 245, 240], [79, 151, 211]);
  const bytes = (word) => [word & 255, (word >> 8) & 255, (word >> 16) & 255, word >>> 24];
  assert.equal(table.length, 256);
  assert.deepEqual(bytes(table[0]), [240, 154, 79, 255]);
  assert.deepEqual(bytes(table[255]), [79, 151, 211, 255]);
  const hard = diverging([240, 154, 79], [247, 245, 240], [79, 151, 211], { hard: true });
  assert.deepEqual([hard[127], hard[128]], [table[0], table[255]]);
});

test("a map is coloured from its own place in the section", () => {
  const table = Uint32Array.from({ length: 256 }, (_, index) => index * 10);
  const target = new Uint32Array(2);
  paintMap(target, [0, 0, 7, 255], 2, table);
  assert.deepEqual([...target], [70, 2550]);
});
