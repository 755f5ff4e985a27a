// Where there is more to scroll to.
import assert from "node:assert/strict";
import test from "node:test";
import { moreSides } from "../../../static/js/lib/overflow.js";

test("each side at which something is out of sight is named; a pixel of rounding is nothing", () => {
  const sides = (scrollLeft, scrollWidth = 300) => moreSides({ scrollLeft, scrollWidth, clientWidth: 200 });
  assert.deepEqual(
    [0, 50, 100, 99, 1].map((at) => sides(at)),
    ["more-right", "more-left more-right", "more-left", "more-left", "more-right"],
  );
  assert.equal(sides(0, 201), "");
});
