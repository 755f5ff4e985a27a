// Parts of the page that show live numbers: drawn again with the frames, not with each of them.
import { useEffect, useState } from "../../vendor/preact/hooks.js";
import { atMostEvery } from "../lib/throttle.js";

/**
 * Draw the component again when frames come, at most once in `gap` milliseconds; the last frame is never left out.
 * @param {import("../core/run.js").Run} run
 * @param {number} gap
 */
export function useFrames(run, gap) {
  const [, refresh] = useState(0);
  useEffect(() => {
    const draw = atMostEvery(() => refresh((count) => count + 1), gap);
    const end = run.onFrame(draw.offer);
    return () => {
      end();
      draw.end();
    };
  }, [run, gap]);
}
