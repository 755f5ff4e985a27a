// A drawing becomes the picture that MNIST would have made of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { BOX, SIDE, base64, extent, largest, mnistPicture } from "../../../../static/js/kinds/digits/digit.js";

/** A sheet with ink wherever `inside(x, y)` holds, softened by sampling each pixel 4x4 times. */
function sheet(size, inside) {
  const ink = new Uint8Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      let hits = 0;
      for (let k = 0; k < 16; k++) hits += inside(column + ((k % 4) + 0.5) / 4, row + (Math.floor(k / 4) + 0.5) / 4);
      ink[row * size + column] = Math.round((255 * hits) / 16);
    }
  }
  return ink;
}

/** A seven: a bar on top and a slanted leg, `unit` pixels high, its corner at (x, y). */
const seven = (x, y, unit) => (px, py) => {
  const [u, v] = [(px - x) / unit, (py - y) / unit];
  if (u < 0 || u > 0.7 || v < 0 || v > 1) return false;
  return v < 0.14 || Math.abs(u - (0.63 - 0.4 * v)) < 0.08;
};

const difference = (a, b) => Math.max(...a.map((value, index) => Math.abs(value - b[index])));
const mean = (a, b) => a.reduce((sum, value, index) => sum + Math.abs(value - b[index]), 0) / a.length;

test("an empty sheet has no picture", () => {
  assert.equal(extent(new Uint8Array(100), 10, 10), null);
  assert.equal(mnistPicture(new Uint8Array(100 * 100), 100, 100), null);
  assert.equal(mnistPicture(new Float32Array(100 * 100).fill(0.01), 100, 100, 1), null, "dust is not ink");
});

test("the picture does not depend on where the digit was drawn", () => {
  const here = mnistPicture(sheet(196, seven(10, 15, 100)), 196, 196);
  const there = mnistPicture(sheet(196, seven(83, 71, 100)), 196, 196);
  assert.ok(difference(here, there) <= 1, `differs by up to ${difference(here, there)} of 255`);
});

test("the picture hardly depends on how large the digit was drawn", () => {
  const large = mnistPicture(sheet(240, seven(20, 20, 200)), 240, 240);
  const small = mnistPicture(sheet(240, seven(20, 20, 100)), 240, 240);
  assert.ok(mean(large, small) < 1.5, `differs by ${mean(large, small)} of 255 on average`);
});

test("ink fills the box of 20 pixels in its longer direction and keeps its aspect", () => {
  const tall = mnistPicture(
    sheet(200, (x, y) => x > 50 && x < 80 && y > 20 && y < 140),
    200,
    200,
  );
  const found = extent(tall, SIDE, SIDE);
  assert.equal(found.bottom - found.top, BOX);
  assert.equal(found.right - found.left, BOX / 4 + 1, "5 pixels wide, half a pixel over on either side");
  const wide = extent(
    mnistPicture(
      sheet(200, (x, y) => y > 50 && y < 80 && x > 20 && x < 140),
      200,
      200,
    ),
    SIDE,
    SIDE,
  );
  assert.equal(wide.right - wide.left, BOX);
});

test("the centre of mass lies within half a pixel of the centre", () => {
  for (const [x, y, unit] of [
    [5, 5, 90],
    [60, 30, 130],
    [100, 90, 70],
  ]) {
    const found = extent(mnistPicture(sheet(196, seven(x, y, unit)), 196, 196), SIDE, SIDE);
    assert.ok(Math.abs(found.x - SIDE / 2) < 0.5, `x ${found.x}`);
    assert.ok(Math.abs(found.y - SIDE / 2) < 0.5, `y ${found.y}`);
  }
});

test("a lopsided drawing loses no ink at the edge", () => {
  // A heavy foot under a long thin mast: the centre of mass is far below the box's centre.
  const drawn = sheet(
    200,
    (x, y) => (y > 160 && y < 190 && x > 40 && x < 160) || (x > 98 && x < 102 && y > 10 && y < 190),
  );
  const picture = mnistPicture(drawn, 200, 200);
  const scale = BOX / 180;
  const before = drawn.reduce((sum, value) => sum + value, 0) * scale * scale;
  const after = picture.reduce((sum, value) => sum + value, 0);
  assert.ok(Math.abs(after / before - 1) < 0.02, `${after} of ${before} is left`);
});

test("a single dot stays a dot in the middle", () => {
  const dot = new Uint8Array(100 * 100);
  dot[30 * 100 + 70] = 255;
  const picture = mnistPicture(dot, 100, 100);
  const found = extent(picture, SIDE, SIDE);
  assert.ok(Math.abs(found.x - SIDE / 2) < 0.5 && Math.abs(found.y - SIDE / 2) < 0.5);
  assert.ok(found.right - found.left <= 2 && found.bottom - found.top <= 2);
});

test("full ink stays full, and grey values in floats give the same picture", () => {
  const bytes = sheet(140, seven(20, 20, 100));
  const floats = Float32Array.from(bytes, (value) => value / 255);
  const picture = mnistPicture(bytes, 140, 140);
  assert.equal(Math.max(...picture), 255);
  assert.ok(difference(picture, mnistPicture(floats, 140, 140, 1)) <= 1);
});

test("bytes travel as base64", () => {
  assert.equal(base64(Uint8Array.of(0, 127, 255)), Buffer.from([0, 127, 255]).toString("base64"));
  assert.equal(base64(new Uint8Array(0)), "");
});

test("the answer is the largest probability", () => {
  assert.equal(largest([0.1, 0.7, 0.2]), 1);
  assert.equal(largest([Number.NaN, 0.1, 0]), 1);
  assert.equal(largest([]), -1);
  assert.equal(largest([Number.NaN, Number.NaN]), -1);
  assert.equal(largest(new Float32Array(10).fill(0.1)), -1, "all alike is no answer");
});
