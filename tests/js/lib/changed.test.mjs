// Work that is done again only for something else.
import assert from "node:assert/strict";
import test from "node:test";
import { whenChanged } from "../../../static/js/lib/changed.js";

test("the same objects ask for nothing, another one or another value does", () => {
  const done = [];
  const act = whenChanged((...given) => done.push(given));
  const [one, other] = [{}, {}];
  act(one, NaN);
  act(one, NaN);
  act(other, NaN);
  act(other, 1);
  act(other, 1);
  assert.deepEqual(done, [
    [one, NaN],
    [other, NaN],
    [other, 1],
  ]);
});
