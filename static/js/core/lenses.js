// Which lens each kind's page looks through. The address, the server and the stage follow it.
import { effect, signal, untracked } from "../../vendor/preact-signals/signals.js";
import { kindOf } from "./describe.js";

/** @typedef {import("./describe.js").Kind} Kind */

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Record<Kind, string>>} */
const chosen = signal({});

/** What the server was told last. @type {Record<Kind, string>} */
const told = {};

/** The name of the lens that is open; "" for a kind that has none. @param {Kind} kind */
export function lensOf(kind) {
  return chosen.value[kind] ?? kindOf(kind).lenses[0]?.name ?? "";
}

/** Look through another lens. @param {Kind} kind @param {string} name One that the server has told. */
export function openLens(kind, name) {
  if (untracked(() => lensOf(kind)) !== name) chosen.value = { ...chosen.peek(), [kind]: name };
}

/** What opening a run says of the lens: nothing where there is no choice. @param {Kind} kind @returns {{lens?: string}} */
export function lensToOpen(kind) {
  told[kind] = untracked(() => lensOf(kind));
  return kindOf(kind).lenses.length > 1 ? { lens: told[kind] } : {};
}

/** Tell the server when the page of `run` looks through another lens than it was opened with. @param {import("./run.js").Run} run */
export function followLens(run) {
  effect(() => {
    const lens = lensOf(run.kind);
    if (!run.opened.value || told[run.kind] === lens) return;
    told[run.kind] = lens;
    void untracked(() => run.send("lens", { lens }));
  });
}
