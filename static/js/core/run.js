// One run as the page sees it: settings, status, metrics, frames, and what may be asked of it.
import { batch, signal } from "../../vendor/preact-signals/signals.js";
import { sizesOf } from "../lib/layers.js";
import { fields } from "./describe.js";
import { schedule } from "./governor.js";
import { known } from "./i18n.js";
import { Inbox } from "./inbox.js";
import { lensToOpen } from "./lenses.js";
import { Link } from "./link.js";
import { LayerWatch } from "./measure.js";
import { notify } from "./notices.js";
import { RunSettings } from "./settings.js";
import { IDLE, metricsOf, statusOf, statusWith, withoutRun } from "./state.js";
import { command, connection, credit, watch } from "./stream.js";
import { visitOf } from "./visit.js";

/**
 * @typedef {import("./describe.js").Settings} Settings
 * @typedef {import("./describe.js").Kind} Kind
 * @typedef {import("../lib/frame.js").Frame} Frame
 * @typedef {import("./inbox.js").Painter} Painter
 * @typedef {import("./stream.js").Reply} Reply
 * @typedef {import("./state.js").RunStatus} RunStatus
 * @typedef {import("./state.js").Metrics} Metrics
 */

/** Puts together a link (commands), settings with their undo, and an inbox (frames). */
export class Run {
  status = signal(IDLE);
  /** Of the newest painted frame; changes with every paint. */
  epoch = signal(0);
  steps = signal(0);
  /** @type {import("../../vendor/preact-signals/signals.js").Signal<Metrics | null>} */
  metrics = signal(/** @type {Metrics | null} */ (null));

  /** The last status that the server told. */
  #told = IDLE;
  #measure = new LayerWatch();
  /** @type {Link} */
  #link;
  /** @type {RunSettings} */
  #settings;
  /** @type {Inbox} */
  #inbox;

  /**
   * @param {Kind} kind
   * @param {Settings} settings What the URL asks for.
   */
  constructor(kind, settings) {
    this.kind = kind;
    const link = new Link(kind, { command, connection }, visitOf(kind), {
      wanted: () => this.settings.peek(),
      lens: () => lensToOpen(kind),
      opened: (found, wanted) => this.#settings.opened(found, wanted),
      lost: () => notify("notice.run_lost"),
    });
    this.#link = link;
    this.#settings = new RunSettings(settings, (patch) => (link.opened.peek() ? this.#patch(patch) : null));
    this.#inbox = new Inbox({
      schedule,
      credit,
      publish: (frame) => this.#publish(frame),
      painted: (frame) => this.#measure.painted(frame),
    });
    watch({
      frame: (frame) => frame.header.run === link.id && this.#inbox.receive(frame),
      event: (event) => (event.run === link.id || event.run === "") && this.#hear(event),
      connection: (up) => link.connected(up),
    });
  }

  /** True once the server has opened the run on the connection that is up now. */
  get opened() {
    return this.#link.opened;
  }
  /** The last refusal, with what was sent; null it to take it away. */
  get problem() {
    return this.#link.problem;
  }
  /** As they are shown: those that the server hasn't confirmed yet count. */
  get settings() {
    return this.#settings.shown;
  }
  /** Whether there is a setting to take back, and one to make again. */
  get undoable() {
    return this.#settings.undoable;
  }
  /** The newest painted frame. @returns {Frame | null} */
  get frame() {
    return this.#inbox.frame;
  }
  /** The loss curve; repaint it in an onFrame painter. */
  get history() {
    return this.#inbox.history;
  }

  /** The page of this run is shown: open it, or find it again. */
  show() {
    this.#link.show();
  }

  /** The page is left: training goes on, but nothing is sent any more. */
  hide() {
    this.#link.hide();
  }

  /**
   * Change settings. Shown at once; taken back, with the server's sentence, if it refuses.
   * @param {Settings} patch
   */
  set(patch) {
    this.#changed(this.#settings.set(patch));
  }

  /** @param {Settings} patch @returns {Promise<Reply | null>} Null if the connection went before the answer came. */
  async #patch(patch) {
    const reply = await this.#link.send("set", { settings: patch });
    return reply.ok || this.opened.peek() ? reply : null;
  }

  undo() {
    this.#changed(this.#settings.undo());
  }

  redo() {
    this.#changed(this.#settings.redo());
  }

  /** @param {Settings} patch */
  #changed(patch) {
    if (Object.keys(patch).length === 0) return;
    if ("layers" in patch) this.#measure.start(sizesOf(fields(this.kind).layers, patch.layers));
    this.#link.knock();
  }

  /**
   * Leave this run and open a new one, waiting at epoch 0: another address was asked for.
   * @param {Settings} settings
   */
  async startAnew(settings) {
    this.#inbox.clear();
    this.#told = withoutRun(this.status.peek());
    const opening = batch(() => {
      this.metrics.value = null;
      this.status.value = this.#told;
      this.epoch.value = this.steps.value = 0;
      this.#settings.startAnew(settings);
      return this.#link.startAnew();
    });
    await opening;
  }

  play() {
    return this.send("play");
  }
  pause() {
    return this.send("pause");
  }
  /** @param {"batch" | "epoch"} [unit] */
  step(unit = "epoch") {
    return this.send("step", { unit });
  }
  reset() {
    return this.send("reset");
  }
  /** After a diverged loss: the best weights so far, with what the status offers. */
  recover() {
    return this.send("recover");
  }

  /**
   * Send a command about this run (weight, look, draw ...). A refusal is shown and also returned.
   * @param {string} type
   * @param {Record<string, any>} [values]
   */
  async send(type, values = {}) {
    const reply = await this.#link.send(type, values);
    if (reply.ok && reply.settings) this.#settings.adopt(reply.settings);
    return reply;
  }

  /**
   * Paint with the newest frame: see docs/page.md, "Painting".
   * @param {Painter} painter
   * @returns {() => void} Ends it.
   */
  onFrame(painter) {
    return this.#inbox.onFrame(painter);
  }

  /** @param {Record<string, any>} event */
  #hear(event) {
    if (event.type === "status") {
      this.#told = this.status.value = statusOf(event, this.status.peek());
      if (event.reason === "unwatched") notify("notice.unwatched");
    } else if (event.type === "notice" && event.values?.code !== "no_such_neuron") {
      // (A look at a neuron that was removed meanwhile needs no word: the next look is on its way.)
      const key = event.code === "refused" ? `error.${event.values?.code}` : `notice.${event.code}`;
      notify(known(key) ? key : null, { message: event.message, ...event.values }, event.message);
    }
  }

  /** @param {Frame} frame */
  #publish({ header, sections }) {
    this.epoch.value = header.epoch;
    this.steps.value = header.step;
    this.status.value = statusWith(header, this.#told, this.status.peek());
    const numbers = sections.metrics?.data;
    if (numbers) this.metrics.value = metricsOf(numbers, this.metrics.peek());
  }
}
