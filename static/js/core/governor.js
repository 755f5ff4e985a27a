// Keeps a weak laptop usable: one paint per animation frame, fewer links or fewer paints when it is slow.
import { signal } from "../../vendor/preact-signals/signals.js";
import { FrameClock } from "../lib/frameclock.js";

/** 0: everything each frame. 1: links at 15 Hz. 2: everything at 15 Hz. */
export const level = signal(0);

const clock = new FrameClock();
const SLOW_GAP_MS = 1000 / 15;
const IDLE_AFTER_MS = 1000;

/** @type {Set<(now: number) => void>} */
const waiting = new Set();
let ticking = false;
let lastWork = 0;
let lastPaint = 0;
let lastLinks = 0;

/**
 * Call `paint` in the next animation frame that may paint. A function that waits already is not added twice.
 * One that fails holds nothing up: the others are painted in the animation frame after it.
 * @param {(now: number) => void} paint
 */
export function schedule(paint) {
  waiting.add(paint);
  if (!ticking) {
    ticking = true;
    clock.pause();
    requestAnimationFrame(tick);
  }
}

/** Whether links may be drawn in the paint that is going on. */
export function linksDue() {
  return level.peek() === 0 || lastLinks === lastPaint;
}

/** @param {number} now */
function tick(now) {
  level.value = clock.tick(now);
  if (waiting.size > 0) lastWork = now;
  if (waiting.size > 0 && (level.value < 2 || now - lastPaint >= SLOW_GAP_MS)) {
    lastPaint = now;
    if (level.value !== 1 || now - lastLinks >= SLOW_GAP_MS) lastLinks = now;
    try {
      for (const paint of [...waiting]) {
        waiting.delete(paint);
        paint(now);
      }
    } finally {
      goOn(now);
    }
  } else goOn(now);
}

/** The clock goes on a little after the last work, so that it measures gaps between frames, not pauses. @param {number} now */
function goOn(now) {
  if (waiting.size > 0 || now - lastWork < IDLE_AFTER_MS) requestAnimationFrame(tick);
  else ticking = false;
}
