import assert from "node:assert/strict";
import test from "node:test";
import { Curve } from "../../../static/js/lib/curve.js";
import { FrameClock } from "../../../static/js/lib/frameclock.js";
import { Undo } from "../../../static/js/lib/history.js";
import { nextSize } from "../../../static/js/lib/layers.js";
import {
  epochMark,
  epochText,
  fill,
  formatNumber,
  parseNumber,
  percent,
  shortNumber,
} from "../../../static/js/lib/text.js";

for (const [text, value] of [
  ["0.5", 0.5],
  ["−1,25", -1.25],
  [" 3 ", 3],
  [".5", 0.5],
  ["1e-3", 0.001],
  ["", null],
  ["abc", null],
  ["1,2,3", null],
  ["NaN", null],
  ["Infinity", null],
  ["1e999", null],
  ["0x10", null],
]) {
  test(`"${text}" is read as ${value}`, () => assert.equal(parseNumber(text), value));
}

test("numbers for people", () => {
  assert.equal(formatNumber(-0.5), "−0.50");
  assert.equal(formatNumber(-0.001), "0.00");
  assert.equal(formatNumber(NaN), "–");
  assert.equal(shortNumber(0.00001 * 10), "0.0001");
  assert.equal(epochText(7.999999999999, "en"), "0008");
  assert.equal(epochText(12345.6, "en"), "12345");
  assert.equal(fill("{n} of {m} {x}", { n: 1, m: 2 }), "1 of 2 {x}");
});

test("an epoch of any size fits its place", () => {
  assert.equal(epochText(999_999.9, "en"), "999999");
  assert.equal(epochText(1_999_999, "en"), "1.999M");
  assert.equal(epochText(12_345_678, "zh-CN"), "1234万");
  for (let epoch = 1; epoch < 1e12; epoch *= 1.7) assert.ok(epochText(epoch, "en").length <= 6, String(epoch));
  assert.deepEqual(
    [20, 50_000, 2e6].map((epoch) => epochMark(epoch, "en")),
    ["20", "50,000", "2M"],
  );
});

test("100% is said only when nothing is missing", () => {
  assert.deepEqual([1, 0.996, 0.5, 0.004, 0].map(percent), [100, 99, 50, 1, 0]);
});

test("the curve is cleared by a key frame and takes in the last rows of the others", () => {
  const curve = new Curve();
  curve.merge([7, 9, 9, 9, 9]);
  curve.clear();
  curve.merge([0, 0.5, 0.6, 0.5, 0.5, 1, 0.4, NaN, 0.6, 0.6]);
  curve.merge([1, 0.4, NaN, 0.6, 0.6, 2, 0.3, 0.3, 0.7, 0.7]);
  assert.deepEqual(curve.columns[0], [0, 1, 2]);
  assert.deepEqual(
    curve.columns.map((column) => column[1]),
    [1, 0.4, null, 0.6, 0.6],
  );
  curve.merge([]);
  assert.equal(curve.length, 3);
});

test("the curve drops what lies ahead when training goes back", () => {
  const curve = new Curve();
  for (const epoch of [0, 1, 2, 3]) curve.merge([epoch, epoch, 0, 0, 0]);
  curve.merge([1, 9, 0, 0, 0]);
  assert.deepEqual(curve.columns[0], [0, 1]);
  assert.deepEqual(curve.columns[1], [0, 9]);
});

test("a long curve stays short and keeps its first and its newest rows", () => {
  const curve = new Curve();
  for (let epoch = 0; epoch < 5000; epoch++) curve.merge([epoch, epoch, 0, 0, 0]);
  assert.ok(curve.length <= 2000);
  assert.equal(curve.columns[0][0], 0);
  assert.deepEqual(curve.columns[0].slice(-3), [4997, 4998, 4999]);
});

test("a slow page saves on links first, then on everything, and recovers", () => {
  const clock = new FrameClock();
  let now = 0;
  const run = (gap, frames) => {
    for (let frame = 0; frame < frames; frame++) clock.tick((now += gap));
    return clock.level;
  };
  assert.equal(run(16.7, 100), 0);
  assert.equal(run(30, 35), 1);
  assert.equal(run(30, 31), 2);
  assert.equal(run(30, 100), 2);
  assert.equal(run(16.7, 200), 1);
  assert.equal(run(16.7, 200), 0);
});

test("a pause is not a slow frame", () => {
  const clock = new FrameClock();
  for (let second = 0; second < 100; second++) {
    clock.pause();
    clock.tick(second * 1000);
    clock.tick(second * 1000 + 16);
  }
  assert.equal(clock.level, 0);
});

test("undo takes back, redo makes again, a dragged slider is one change", () => {
  const undo = new Undo();
  undo.push({ rate: 1 }, { rate: 2 }, 0);
  undo.push({ noise: 0 }, { noise: 0.1 }, 5000);
  undo.push({ noise: 0.1 }, { noise: 0.2 }, 5200);
  assert.deepEqual(undo.undo(), { noise: 0 });
  assert.deepEqual(undo.redo(), { noise: 0.2 });
  assert.deepEqual(undo.undo(), { noise: 0 });
  assert.deepEqual(undo.undo(), { rate: 1 });
  assert.equal(undo.undo(), null);
});

test("layers of the digits page go in steps, those of the plane by one", () => {
  const [limits, steps] = [{ min: 1, max: 512 }, [16, 32, 64, 128, 256, 512]];
  assert.equal(nextSize(128, 1, limits, steps), 256);
  assert.equal(nextSize(100, -1, limits, steps), 64);
  assert.equal(nextSize(512, 1, limits, steps), null);
  assert.equal(nextSize(16, -1, limits, steps), 1);
  assert.equal(nextSize(32, 1, { min: 1, max: 32 }), null);
  assert.equal(nextSize(1, -1, { min: 1, max: 32 }), null);
});
