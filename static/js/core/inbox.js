// The frames of one run: the newest wins, painters are fed with it, and each frame that came is acknowledged.
import { batch, effect, signal } from "../../vendor/preact-signals/signals-core.js";
import { Curve } from "../lib/curve.js";
import { mergeFrames } from "../lib/frame.js";

/**
 * @typedef {import("../lib/frame.js").Frame} Frame
 * @typedef {import("../lib/frame.js").Header} Header
 *
 * @typedef {(frame: Frame, now: number) => void} Painter
 *
 * @typedef {object} Doors
 * @property {(paint: (now: number) => boolean) => void} schedule Calls back in an animation frame that may paint.
 * @property {(header: Header) => void} credit Tells the server that another frame may come.
 * @property {(frame: Frame) => void} publish Takes over what the controls show of a frame, before the painters run.
 * @property {(frame: Frame) => void} painted All painters have run.
 */

export class Inbox {
  /** The loss curve; repaint it in an onFrame painter. */
  history = new Curve();

  /** Changes with each paint. */
  #turn = signal(0);
  /** The newest painted frame. @type {Frame | null} */
  #painted = null;
  /** @type {Frame | null} */
  #newest = null;
  /** @type {Header[]} */
  #owed = [];
  #now = 0;

  /** @param {Doors} doors */
  constructor({ schedule, credit, publish, painted }) {
    this.schedule = schedule;
    this.credit = credit;
    this.publish = publish;
    this.painted = painted;
  }

  /** The newest painted frame. */
  get frame() {
    return this.#painted;
  }

  /** @param {Frame} frame */
  receive(frame) {
    const { header, sections } = frame;
    this.#owed.push(header);
    this.#newest = mergeFrames(this.#newest ?? this.#painted, frame);
    if (header.key) this.history.clear();
    if (sections.curve) this.history.merge(sections.curve.data);
    this.schedule(this.#paint);
  }

  /**
   * Call `painter` with the newest frame: once when it subscribes (if there is a frame), once per paint, and again
   * whenever a signal that it reads with `.value` has changed (the theme, what is looked at).
   * @param {Painter} painter
   * @returns {() => void} Ends it.
   */
  onFrame(painter) {
    return effect(() => {
      void this.#turn.value;
      if (this.#painted) painter(this.#painted, this.#now);
    });
  }

  /** Forget all frames: another run is shown from now on. */
  clear() {
    this.#newest = this.#painted = null;
    this.#owed = [];
    this.history.clear();
  }

  #paint = (/** @type {number} */ now) => {
    const frame = this.#newest;
    if (!frame) return false;
    [this.#newest, this.#painted, this.#now] = [null, frame, now];
    try {
      batch(() => {
        this.publish(frame);
        this.#turn.value += 1;
      });
      this.painted(frame);
    } finally {
      // Also after a painter that failed: unpaid frames would stop the stream for good.
      for (const header of this.#owed.splice(0)) this.credit(header);
    }
    return true;
  };
}
