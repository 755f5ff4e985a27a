/** Which picture the network looks at: what is drawn, or a test image. One sender, so that the last wish wins. */
import { signal } from "../../../vendor/preact-signals/signals.js";
import { base64, mnistPicture } from "./digit.js";
import { newestOnly } from "../../lib/throttle.js";
import { drawStrokes, inkOf } from "./strokes.js";

/**
 * @typedef {import("./strokes.js").Stroke} Stroke
 * @typedef {{type: string, values: () => Record<string, any> | null}} Wish
 */

/** Pixels of the sheet that is scaled down to 28 x 28. */
const SHEET = 140;
/** At most 20 wishes a second. */
const GAP_MS = 50;

export class Subject {
  /** What is on the drawing pad. @type {import("../../../vendor/preact-signals/signals.js").Signal<Stroke[]>} */
  strokes = signal(/** @type {Stroke[]} */ ([]));

  #met = false;
  #context = sheet();
  /** @type {(wish: Wish) => void} */
  #offer;

  /** @param {import("../../core/run.js").Run} run */
  constructor(run) {
    this.#offer = newestOnly(async ({ type, values }) => {
      const found = values();
      if (found) await run.send(type, found);
    }, GAP_MS);
  }

  /** What is drawn now; pictures that are overtaken are never made. @param {Stroke[]} strokes */
  draw(strokes) {
    this.strokes.value = strokes;
    this.#offer({ type: "draw", values: () => this.#picture(strokes) });
  }

  /** Empty the pad: the network looks at a test image again. */
  clear() {
    this.strokes.value = [];
    this.#offer({ type: "draw", values: () => ({ pixels: "" }) });
  }

  /**
   * The first look at a run: a drawing of before the page was loaded again is let go, for the pad no longer has it.
   * @param {import("./model.js").View} view
   */
  greet({ picked }) {
    if (this.#met) return;
    this.#met = true;
    if (picked < 0 && this.strokes.peek().length === 0) this.clear();
  }

  /** A test image instead of a drawing. @param {number} image Its number among the test images. */
  pick(image) {
    this.strokes.value = [];
    this.#offer({ type: "look", values: () => ({ image }) });
  }

  /** @param {Stroke[]} strokes */
  #picture(strokes) {
    drawStrokes(this.#context, strokes, SHEET, "#000000");
    const picture = mnistPicture(inkOf(this.#context, SHEET), SHEET, SHEET);
    return picture && { pixels: base64(picture) };
  }
}

/** @type {WeakMap<import("../../core/run.js").Run, Subject>} */
const subjects = new WeakMap();

/** The subject of a run; a drawing outlives a look at the other page. @param {import("../../core/run.js").Run} run */
export function subjectOf(run) {
  const subject = subjects.get(run) ?? new Subject(run);
  subjects.set(run, subject);
  return subject;
}

function sheet() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SHEET;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser has no 2D canvas");
  return context;
}
