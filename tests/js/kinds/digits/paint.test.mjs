// Weight images are painted so that their few largest weights don't make all others pale.
import assert from "node:assert/strict";
import { test } from "node:test";

import { cssColour, inkTable, stretched, tableIndex } from "../../../../static/js/kinds/digits/paint.js";

/** A table whose entries are their own index. */
const table = Uint32Array.from({ length: 256 }, (_, index) => index);

test("an image of zeros stays at the middle of the table", () => {
  for (const zero of [127, 128]) {
    const index = stretched(table, new Uint8Array(784).fill(zero))[zero];
    assert.ok(Math.abs(index - 127.5) <= 1, `${zero} is painted with ${index}`);
  }
});

test("one large weight among small ones leaves the small ones visible", () => {
  const pixels = new Uint8Array(784).fill(168);
  pixels[0] = 255;
  const own = stretched(table, pixels);
  assert.ok(own[168] > 245, `168 is painted with ${own[168]}`);
  assert.equal(own[255], 255);
  assert.ok(own[87] < 10, "and as much to the other side");
});

test("an image that uses the whole table keeps it, in order", () => {
  const own = stretched(
    table,
    Uint8Array.from({ length: 784 }, (_, index) => index % 256),
  );
  assert.ok(own.every((value, index) => index === 0 || value >= own[index - 1]));
  assert.ok(Math.abs(own[190] - 190) < 4);
});

test("activations are painted up to their reach, and what isn't a number in the middle", () => {
  assert.deepEqual(
    [-2, -1, 1, 5].map((value) => tableIndex(value, 2)),
    [0, 64, 191, 255],
  );
  assert.equal(tableIndex(Number.NaN, 1), 128);
});

test("grey values run from paper to ink", () => {
  const grey = inkTable("#ffffff", "rgb(16, 32, 48)");
  assert.equal(cssColour(grey[0]), "rgb(255, 255, 255)");
  assert.equal(cssColour(grey[255]), "rgb(16, 32, 48)");
});
