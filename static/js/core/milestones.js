// A screen reader hears when a network gets clearly better, not each number.
import { announcement } from "./notices.js";

/**
 * Announce each milestone once; after a reset they count anew.
 * @param {Pick<import("./run.js").Run, "metrics" | "steps">} run
 * @param {number[]} milestones Rising.
 * @param {(unseenAccuracy: number) => number} share In the milestones' unit.
 * @param {(share: number, milestone: number) => string} sentence
 * @returns {() => void} Ends it.
 */
export function announceMilestones(run, milestones, share, sentence) {
  let reached = 0;
  return run.metrics.subscribe((metrics) => {
    const now = share(metrics?.unseenAccuracy ?? NaN);
    if (!metrics || run.steps.peek() === 0) reached = 0;
    else {
      const passed = milestones.filter((one) => now >= one).length;
      if (passed > reached) announcement.value = sentence(now, milestones[passed - 1]);
      reached = Math.max(reached, passed);
    }
  });
}
