// Undo and redo of settings, as a pure structure.

/**
 * @typedef {Record<string, any>} Patch
 * @typedef {{undo: Patch, redo: Patch, keys: string, at: number}} Change
 */

const MERGE_MS = 800;
const LIMIT = 100;

/** Remembers what each change replaced. A slider that is dragged is one change. */
export class Undo {
  /** @type {Change[]} */
  #done = [];
  /** @type {Change[]} */
  #undone = [];

  /**
   * @param {Patch} before The values that `after` replaces.
   * @param {Patch} after
   * @param {number} now Milliseconds.
   */
  push(before, after, now) {
    const keys = Object.keys(after).sort().join();
    const last = this.#done.at(-1);
    if (last && last.keys === keys && now - last.at < MERGE_MS) {
      last.redo = after;
      last.at = now;
    } else {
      this.#done.push({ undo: before, redo: after, keys, at: now });
      if (this.#done.length > LIMIT) this.#done.shift();
    }
    this.#undone = [];
  }

  /** Whether there is something to undo, and to redo. */
  get able() {
    return { undo: this.#done.length > 0, redo: this.#undone.length > 0 };
  }

  /** The patch that takes the last change back, or null. @returns {Patch | null} */
  undo() {
    const change = this.#done.pop();
    if (!change) return null;
    this.#undone.push(change);
    return change.undo;
  }

  /** The patch that makes the change again that was taken back last, or null. @returns {Patch | null} */
  redo() {
    const change = this.#undone.pop();
    if (!change) return null;
    this.#done.push({ ...change, at: 0 });
    return change.redo;
  }
}
