// The settings of a run: shown at once, confirmed or taken back by the server, undone and made again.
import { signal } from "../../vendor/preact-signals/signals-core.js";
import { Undo } from "../lib/history.js";
import { difference } from "../lib/settings.js";

/**
 * @typedef {import("./describe.js").Settings} Settings
 * @typedef {import("./stream.js").Reply} Reply
 */

export class RunSettings {
  /** As they are shown. @type {import("../../vendor/preact-signals/signals.js").Signal<Settings>} */
  shown;
  /** Whether there is a setting to take back, and one to make again. */
  undoable = signal({ undo: false, redo: false });

  #undo = new Undo();
  /** @type {Settings} */
  #confirmed;
  /** Changed, but not sent yet. @type {Settings} */
  #waiting = {};
  #sending = false;
  /** Counts openings: an answer to what was sent before the last one says nothing any more. */
  #era = 0;

  /**
   * @param {Settings} settings
   * @param {(patch: Settings) => Promise<Reply | null> | null} send Null, at once or as the answer: the run isn't open (any more);
   *   `opened` will be called.
   * @param {() => number} [now] Milliseconds.
   */
  constructor(settings, send, now = () => performance.now()) {
    this.send = send;
    this.now = now;
    this.shown = signal(settings);
    this.#confirmed = settings;
  }

  /**
   * Change settings. Shown at once; taken back if the server refuses.
   * @param {Settings} patch
   * @param {{undoable?: boolean}} [options]
   * @returns {Settings} What is otherwise now.
   */
  set(patch, { undoable = true } = {}) {
    const before = this.shown.peek();
    const changed = difference(before, patch);
    const names = Object.keys(changed);
    if (names.length === 0) return changed;
    if (undoable) {
      this.#undo.push(Object.fromEntries(names.map((name) => [name, before[name]])), changed, this.now());
      this.undoable.value = this.#undo.able;
    }
    this.shown.value = { ...before, ...changed };
    this.#waiting = { ...this.#waiting, ...changed };
    void this.#flush();
    return changed;
  }

  /** Take the last change back. @returns {Settings} What is otherwise now. */
  undo() {
    return this.#retrace(this.#undo.undo());
  }

  /** Make the change again that was taken back last. @returns {Settings} What is otherwise now. */
  redo() {
    return this.#retrace(this.#undo.redo());
  }

  /** @param {Settings | null} patch */
  #retrace(patch) {
    this.undoable.value = this.#undo.able;
    return patch ? this.set(patch, { undoable: false }) : {};
  }

  /**
   * The server has opened the run. What the page shows is what its reader asked for: a run found again follows it.
   * @param {Settings} settings Those that the run has.
   * @param {Settings} wanted Those that it was opened with.
   */
  opened(settings, wanted) {
    this.#era += 1;
    this.#sending = false;
    this.#confirmed = { ...wanted, ...settings };
    this.#waiting = difference(this.#confirmed, { ...wanted, ...this.#waiting });
    this.#show();
    void this.#flush();
  }

  /** The server changed settings by itself (a lower rate). @param {Settings} settings */
  adopt(settings) {
    this.#confirmed = settings;
    this.#show();
  }

  /** Another run, with these settings; nothing of the old one can be undone. @param {Settings} settings */
  startAnew(settings) {
    this.#era += 1;
    this.#sending = false;
    this.#waiting = {};
    this.#undo = new Undo();
    this.#confirmed = settings;
    this.undoable.value = this.#undo.able;
    this.#show();
  }

  #show() {
    this.shown.value = { ...this.#confirmed, ...this.#waiting };
  }

  /** One patch at a time; what is changed meanwhile goes together in the next. */
  async #flush() {
    if (this.#sending || Object.keys(this.#waiting).length === 0) return;
    const [patch, era] = [this.#waiting, this.#era];
    const answer = this.send(patch);
    if (!answer) return;
    this.#waiting = {};
    this.#sending = true;
    const reply = await answer;
    if (era !== this.#era) return;
    this.#sending = false;
    if (!reply) {
      this.#waiting = { ...patch, ...this.#waiting };
      return;
    }
    if (reply.ok) this.#confirmed = { ...this.#confirmed, ...patch, ...reply.settings };
    this.#show();
    void this.#flush();
  }
}
