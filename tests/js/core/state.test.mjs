// A status and the frames around it reach the page by different ways: the newer one holds.
import assert from "node:assert/strict";
import test from "node:test";
import { IDLE, metricsOf, statusOf, statusWith, withoutRun } from "../../../static/js/core/state.js";

const DIVERGED = statusOf({ playing: false, reason: "diverged", step: 40, epoch: 2, executor: "", seq: 7 }, IDLE);
const header = (command, step, playing) => ({ command, step, playing });

test("why a loss diverged isn't forgotten for a frame of before that is painted after it", () => {
  const late = statusWith(header(7, 38, true), DIVERGED, DIVERGED);
  assert.equal(late, DIVERGED);
  assert.equal(statusWith(header(7, 41, false), DIVERGED, late).reason, "diverged", "nor for those that follow");
});

test("a frame of an earlier command is older than the status, whatever its step", () => {
  const reset = statusOf({ playing: false, reason: "reset", step: 0, epoch: 0, executor: "", seq: 9 }, IDLE);
  assert.equal(statusWith(header(8, 500, true), reset, reset), reset);
});

test("a newer frame tells whether the run trains", () => {
  const playing = statusWith(header(8, 41, true), DIVERGED, DIVERGED);
  assert.deepEqual([playing.playing, playing.reason], [true, null]);
  assert.equal(statusWith(header(8, 42, true), DIVERGED, playing), playing, "the same object if nothing changes");
});

test("what a late frame of another page's command said is put right by the next one", () => {
  // Two pages count their commands from different numbers.
  const paused = statusOf({ playing: false, reason: "paused", step: 100, epoch: 5, executor: "", seq: 500 }, IDLE);
  const misled = statusWith(header(1000, 90, true), paused, paused);
  assert.equal(statusWith(header(500, 100, false), paused, misled), paused);
});

test("what computes the run is told once and kept", () => {
  const first = statusOf({ playing: true, step: 0, epoch: 0, executor: "CPU · NumPy", seq: 1 }, IDLE);
  assert.equal(first.reason, null);
  assert.equal(statusOf({ playing: false, step: 0, epoch: 0, executor: "", seq: 2 }, first).executor, "CPU · NumPy");
});

test("what becomes of the native machine is told with each status, and survives a new run", () => {
  const told = { playing: true, step: 9, epoch: 1, executor: "CPU · NumPy", values: {}, seq: 1 };
  const compiling = statusOf({ ...told, machine: "compiling", problem: "" }, IDLE);
  assert.equal(compiling.machine, "compiling");
  assert.deepEqual(withoutRun(compiling), { ...IDLE, executor: "CPU · NumPy", machine: "compiling" });
  const failed = statusOf({ ...told, machine: "failed", problem: "no room" }, compiling);
  assert.deepEqual([failed.machine, failed.problem], ["failed", "no room"]);
  assert.equal(statusOf({ ...told, machine: "", problem: "" }, failed).machine, "");
});

test("metrics that didn't change are the same object", () => {
  const first = metricsOf([1, 2, 0.5, 0.25], null);
  assert.deepEqual(first, { trainLoss: 1, unseenLoss: 2, trainAccuracy: 0.5, unseenAccuracy: 0.25 });
  assert.equal(metricsOf([1, 2, 0.5, 0.25], first), first);
});
