// What a tab knows of its earlier visits: the run that it trained, and whether this visit goes on with it.

/** @typedef {import("./describe.js").Kind} Kind */

/** @param {Kind} kind */
const key = (kind) => `layerlab.run.${kind}`;

/** The run of `kind` that this tab trained last. @param {Kind} kind */
export function rememberedRun(kind) {
  return sessionStorage.getItem(key(kind));
}

/** @param {Kind} kind @param {string} run */
export function rememberRun(kind, run) {
  sessionStorage.setItem(key(kind), run);
}

/** Whether this page was loaded again, or come back to, rather than asked for. */
export function comesBack() {
  const [entry] = performance.getEntriesByType("navigation");
  return ["reload", "back_forward"].includes(/** @type {PerformanceNavigationTiming} */ (entry)?.type);
}
