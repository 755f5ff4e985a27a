// The pictures of the data sets beside their names.
import assert from "node:assert/strict";
import test from "node:test";
import { sampleCloud } from "../../../../static/js/kinds/points/clouds.js";

test("a thumbnail's cloud is the same each time and lies in its square", () => {
  for (const kind of ["circle", "xor", "gauss", "spiral"]) {
    const cloud = sampleCloud(kind);
    assert.deepEqual(cloud, sampleCloud(kind));
    assert.ok(cloud.length > 50 && cloud.every(({ x, y }) => Math.abs(x) <= 1.2 && Math.abs(y) <= 1.2));
    assert.equal(new Set(cloud.map(({ label }) => label)).size, 2);
  }
  assert.deepEqual(sampleCloud("moons"), []);
});
