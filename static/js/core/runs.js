// One run a kind of page, made when its page is first shown.
import { signal } from "../../vendor/preact-signals/signals.js";
import { Run } from "./run.js";
import { settingsFromHash } from "./url.js";

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Partial<Record<import("./describe.js").Kind, Run>>>} */
const runs = signal({});

/** The run of `kind`, if its page was shown already. @param {import("./describe.js").Kind} kind */
export function runOf(kind) {
  return runs.value[kind];
}

/** Show the page of `kind`: its run is opened, the other one is no longer watched. @param {import("./describe.js").Kind} kind */
export function showRun(kind) {
  for (const [name, run] of Object.entries(runs.peek())) if (name !== kind) run.hide();
  let run = runs.peek()[kind];
  if (!run) {
    run = new Run(kind, settingsFromHash(kind));
    runs.value = { ...runs.peek(), [kind]: run };
  }
  run.show();
  return run;
}
