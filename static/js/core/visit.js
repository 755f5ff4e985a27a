// What a tab knows of its earlier visits: the run that it trained, and whether this visit goes on with it.
import { tab } from "./storage.js";

/**
 * The runs of `kind` of earlier visits. Where the tab can't keep anything, each visit is the first.
 * @param {import("./describe.js").Kind} kind
 * @returns {import("./link.js").Visit}
 */
export function visitOf(kind) {
  const key = `layerlab.run.${kind}`;
  const last = tab.get(key);
  const [found, left] = comesBack() ? [last, null] : [null, last];
  return { found, left, remember: (run) => void tab.set(key, run) };
}

/** Whether this page was loaded again, or come back to, rather than asked for. */
function comesBack() {
  const [entry] = performance.getEntriesByType("navigation");
  return ["reload", "back_forward"].includes(/** @type {PerformanceNavigationTiming} */ (entry)?.type);
}
