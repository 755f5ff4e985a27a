// What the reader points at, or keeps, in a run. The lenses of a page share it: what is picked in one is picked in all.
import { computed, signal } from "../../vendor/preact-signals/signals.js";

/** @typedef {{what: "unit", layer: number, unit: number}} Picked `layer` 0 = inputs. */

export class Pick {
  /** Under the pointer or the focus. */
  hovered = signal(/** @type {Picked | null} */ (null));
  /** Kept until it is let go. */
  pinned = signal(/** @type {Picked | null} */ (null));
  /** What counts: what is pointed at, else what is kept. */
  current = computed(() => this.hovered.value ?? this.pinned.value);
}

/** @type {WeakMap<import("./run.js").Run, Pick>} */
const picks = new WeakMap();

/** The pick of a run; it outlives a look through another lens. @param {import("./run.js").Run} run */
export function pickOf(run) {
  const pick = picks.get(run) ?? new Pick();
  picks.set(run, pick);
  return pick;
}
