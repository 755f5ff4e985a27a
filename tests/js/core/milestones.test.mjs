// A screen reader hears of milestones, once each.
import assert from "node:assert/strict";
import test from "node:test";
import { signal } from "../../../static/vendor/preact-signals/signals-core.js";
import { announceMilestones } from "../../../static/js/core/milestones.js";
import { announcement } from "../../../static/js/core/notices.js";

function follow() {
  const run = { metrics: signal(null), steps: signal(0) };
  announcement.value = "";
  const end = announceMilestones(
    run,
    [80, 90, 95],
    (accuracy) => Math.round(100 * accuracy),
    (now, passed) => `${now} of ${passed}`,
  );
  const reach = (unseenAccuracy, steps = 10) => {
    run.steps.value = steps;
    run.metrics.value = { unseenAccuracy };
    return announcement.value;
  };
  return { reach, end };
}

test("a milestone is told once, the highest that was passed", () => {
  const { reach, end } = follow();
  assert.equal(reach(0.5), "");
  assert.equal(reach(0.91), "91 of 90");
  assert.equal(reach(0.85), "91 of 90");
  assert.equal(reach(0.93), "91 of 90", "it was there before");
  assert.equal(reach(0.97), "97 of 95");
  end();
});

test("before the first step there is nothing to tell, and a reset begins anew", () => {
  const { reach, end } = follow();
  assert.equal(reach(0.9, 0), "");
  assert.equal(reach(0.9), "90 of 90");
  reach(0.5, 0);
  assert.equal(reach(0.82), "82 of 80");
  end();
});

test("an accuracy that isn't known is no milestone", () => {
  const { reach, end } = follow();
  assert.equal(reach(NaN), "");
  end();
});
