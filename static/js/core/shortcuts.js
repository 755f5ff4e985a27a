// The keyboard: Space, →, R, ?, undo, and the lenses' numbers. Keys typed into a field belong to the field.
import { signal } from "../../vendor/preact-signals/signals.js";
import { kindOf } from "./describe.js";
import { openLens } from "./lenses.js";

export const helpOpen = signal(false);

/**
 * @param {() => import("./run.js").Run | undefined} current The run that is shown.
 */
export function followKeyboard(current) {
  addEventListener("keydown", (event) => {
    const run = current();
    if (!run || event.defaultPrevented) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() === "z" && !event.altKey && !typing(target)) {
        event.preventDefault();
        if (event.shiftKey) run.redo();
        else run.undo();
      }
      return;
    }
    if (event.altKey || event.repeat || document.querySelector("dialog[open]") || typing(target)) return;
    if (act(event.key, run, target)) event.preventDefault();
  });
}

/**
 * @param {string} key
 * @param {import("./run.js").Run} run
 * @param {Element} target
 * @returns {boolean} Whether the key meant something.
 */
function act(key, run, target) {
  const lens = lensWithKey(key, run.kind);
  const control = target.closest("button, select, input, summary, [role='slider'], [data-keys]");
  if (key === " " && !control) void (run.status.value.playing ? run.pause() : run.play());
  else if (key === "ArrowRight" && !target.closest("input, select, [role='radiogroup'], [data-keys]")) void run.step();
  else if (key.toLowerCase() === "r") void run.reset();
  else if (key === "?") helpOpen.value = true;
  else if (lens && !target.closest("select")) openLens(run.kind, lens.name);
  else return false;
  return true;
}

/** @param {Element} target */
function typing(target) {
  return target.matches("textarea, [contenteditable], input:not([type]), input[type='text'], input[type='number']");
}

/** A number opens the lens that has it, where there are several. @param {string} key @param {import("./describe.js").Kind} kind */
function lensWithKey(key, kind) {
  const { lenses } = kindOf(kind);
  return lenses.length > 1 ? lenses.find((lens) => lens.key === key) : undefined;
}
