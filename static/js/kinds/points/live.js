// Parts of the page that show live numbers: drawn again with the frames, not with each of them.
import { useEffect, useState } from "../../../vendor/preact/hooks.js";

/**
 * Draw the component again when frames come, at most once in `gap` milliseconds; the last frame is never left out.
 * @param {import("../../core/run.js").Run} run
 * @param {number} gap
 */
export function useFrames(run, gap) {
  const [, refresh] = useState(0);
  useEffect(() => {
    let last = -Infinity;
    let timer = 0;
    const draw = () => {
      last = performance.now();
      timer = 0;
      refresh((count) => count + 1);
    };
    const end = run.onFrame(() => {
      if (timer === 0) timer = setTimeout(draw, Math.max(0, last + gap - performance.now()));
    });
    return () => {
      clearTimeout(timer);
      end();
    };
  }, [run, gap]);
}
