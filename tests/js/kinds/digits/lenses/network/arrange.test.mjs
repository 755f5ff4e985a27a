// The tiles of a layer use the area that they are given.
import assert from "node:assert/strict";
import { test } from "node:test";

import { tiling } from "../../../../../../static/js/kinds/digits/lenses/network/arrange.js";

test("tiles are as large as the area allows", () => {
  assert.deepEqual(tiling(10, 500, 200, 0), { columns: 5, rows: 2, side: 100 });
  const { columns, rows, side } = tiling(40, 420, 360, 6);
  assert.ok(columns * rows >= 40);
  assert.ok(columns * side + 6 * (columns - 1) <= 420 + 1e-6 && rows * side + 6 * (rows - 1) <= 360 + 1e-6);
});

test("a nearly empty last row is avoided where that costs little", () => {
  // 6 columns would be 36 pixels a side, but leave 4 tiles alone in a seventh row.
  const { columns, rows } = tiling(40, 236, 310, 4);
  assert.equal(columns * rows, 40);
});

test("without room there are no tiles, and no error", () => {
  assert.equal(tiling(10, 0, 0, 4).side, 0);
});
