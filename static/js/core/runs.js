// One run a kind of page, made when its page is first shown.
import { signal } from "../../vendor/preact-signals/signals.js";
import { loadKind } from "./kinds.js";
import { followLens } from "./lenses.js";
import { Run } from "./run.js";
import { page, settingsFromHash } from "./url.js";

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Record<import("./describe.js").Kind, Run | undefined>>} */
const runs = signal({});

/** The run of `kind`, if its page was shown already. @param {import("./describe.js").Kind} kind */
export function runOf(kind) {
  return runs.value[kind];
}

/** Show the page of `kind`: its run is opened, the others are no longer watched. @param {import("./describe.js").Kind} kind */
export async function showRun(kind) {
  for (const [name, run] of Object.entries(runs.peek())) if (name !== kind) run?.hide();
  if (!(await loadKind(kind)) || page.peek() !== kind) return; // only the kind knows how to read its addresses
  const run = runs.peek()[kind] ?? makeRun(kind);
  runs.value = { ...runs.peek(), [kind]: run };
  run.show();
}

/** @param {import("./describe.js").Kind} kind */
function makeRun(kind) {
  const run = new Run(kind, settingsFromHash(kind));
  followLens(run);
  return run;
}
