// A small box stands beside what it speaks of, and stays in its room.
import assert from "node:assert/strict";
import test from "node:test";
import { besideThing, nearPoint } from "../../../static/js/lib/placement.js";

const BOX = { width: 100, height: 60 };
const ROOM = { width: 400, height: 300 };

test("a card stands right of a thing, in the middle of its height", () => {
  assert.deepEqual(besideThing(BOX, { left: 50, right: 90, top: 100, bottom: 140 }, ROOM, 8), { x: 98, y: 90 });
});

test("without room there it stands at the left, and never outside", () => {
  assert.deepEqual(besideThing(BOX, { left: 320, right: 360, top: 0, bottom: 10 }, ROOM, 8), { x: 212, y: 8 });
  assert.deepEqual(besideThing(BOX, { left: 60, right: 390, top: 280, bottom: 300 }, ROOM, 8), { x: 8, y: 232 });
});

const GAPS = { away: 24, edge: 8, small: 300 };
const WIDE = { left: 0, right: 400, height: 300 };

test("an editor stands below a point, above it where there is no room", () => {
  assert.deepEqual(nearPoint(BOX, { x: 200, y: 100 }, WIDE, GAPS), { x: 150, y: 124 });
  assert.deepEqual(nearPoint(BOX, { x: 200, y: 250 }, WIDE, GAPS), { x: 150, y: 166 });
});

test("it stays in the part of the room that is seen", () => {
  assert.equal(nearPoint(BOX, { x: 0, y: 100 }, WIDE, GAPS).x, 8);
  assert.equal(nearPoint(BOX, { x: 390, y: 100 }, WIDE, GAPS).x, 292);
  assert.equal(nearPoint(BOX, { x: 120, y: 100 }, { ...WIDE, left: 100 }, GAPS).x, 108);
});

test("in a narrow room it stands at the end that is farther away", () => {
  const narrow = { left: 0, right: 280, height: 300 };
  assert.equal(nearPoint(BOX, { x: 100, y: 200 }, narrow, GAPS).y, 0);
  assert.equal(nearPoint(BOX, { x: 100, y: 100 }, narrow, GAPS).y, 240);
});
