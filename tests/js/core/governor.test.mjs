// When to paint: once in an animation frame, whatever happened in the last one.
import assert from "node:assert/strict";
import test from "node:test";

/** @type {((now: number) => void)[]} */
const frames = [];
globalThis.requestAnimationFrame = (callback) => frames.push(callback);
const { schedule } = await import("../../../static/js/core/governor.js");

let now = 0;
const frame = () => {
  now += 16;
  for (const callback of frames.splice(0)) callback(now);
};

test("what is scheduled twice before an animation frame is painted once", () => {
  const painted = [];
  const paint = (at) => painted.push(at);
  schedule(paint);
  schedule(paint);
  assert.deepEqual(painted, []);
  frame();
  frame();
  assert.deepEqual(painted, [16]);
});

test("a painter that fails stops neither the others nor what comes later", () => {
  const painted = [];
  const good = () => painted.push("good");
  schedule(() => {
    throw new Error("a broken frame");
  });
  schedule(good);
  assert.throws(frame, /a broken frame/);
  frame();
  assert.deepEqual(painted, ["good"]);
  schedule(good);
  frame();
  assert.deepEqual(painted, ["good", "good"]);
});
