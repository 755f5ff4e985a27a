// Decides from the times of animation frames how much a page may paint.

const WINDOW = 30;
const SLOW_MS = 24;
const QUICK_MS = 19;
const CALM_FRAMES = 150;

/** A running mean of the gap between animation frames, and the level of saving that it asks for. */
export class FrameClock {
  /** @type {number | null} */
  #last = null;
  /** @type {number[]} */
  #gaps = [];
  #calm = 0;
  level = 0;

  /** The next gap is not counted: the page did nothing before it. */
  pause() {
    this.#last = null;
  }

  /**
   * @param {number} now Milliseconds.
   * @returns {number} 0 paint everything, 1 links less often, 2 everything less often.
   */
  tick(now) {
    if (this.#last !== null) this.#gaps.push(now - this.#last);
    this.#last = now;
    if (this.#gaps.length < WINDOW) return this.level;
    const mean = this.#gaps.reduce((sum, gap) => sum + gap, 0) / this.#gaps.length;
    this.#gaps = [];
    this.#calm = mean < QUICK_MS ? this.#calm + WINDOW : 0;
    if (mean > SLOW_MS && this.level < 2) this.level += 1;
    else if (this.#calm >= CALM_FRAMES && this.level > 0) {
      this.level -= 1;
      this.#calm = 0;
    }
    return this.level;
  }
}
