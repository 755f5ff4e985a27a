// One run as the page sees it: settings, status, metrics, frames, and what may be asked of it.
import { batch, signal } from "../../vendor/preact-signals/signals.js";
import { Curve } from "../lib/curve.js";
import { explainProblem } from "../lib/explain.js";
import { mergeFrames } from "../lib/frame.js";
import { Undo } from "../lib/history.js";
import { sizesOf } from "../lib/layers.js";
import { difference } from "../lib/settings.js";
import { fields } from "./describe.js";
import { schedule } from "./governor.js";
import { known, t } from "./i18n.js";
import { notify } from "./notices.js";
import { command, connection, credit, watch } from "./stream.js";
import { LayerWatch } from "./measure.js";
import { IDLE, metricsOf } from "./state.js";
import { comesBack, rememberRun, rememberedRun } from "./visit.js";

/**
 * @typedef {import("./describe.js").Settings} Settings
 * @typedef {import("./describe.js").Kind} Kind
 * @typedef {import("../lib/frame.js").Frame} Frame
 * @typedef {import("../lib/frame.js").Header} Header
 * @typedef {import("./stream.js").Reply} Reply
 * @typedef {import("./stream.js").Problem} Problem
 * @typedef {import("./state.js").RunStatus} RunStatus
 * @typedef {import("./state.js").Metrics} Metrics
 *
 * @typedef {(frame: Frame, now: number) => void} Painter
 */

const OPENED_WITHIN_MS = 5000;

/** Refusals that say nothing about the run itself. */
const TRY_LATER = ["busy", "timeout", "not_connected", "internal_error"];

export class Run {
  /** @type {string | null} */
  id = null;
  /** True once the server has opened the run on the connection that is up now. */
  opened = signal(false);
  /** @type {import("../../vendor/preact-signals/signals.js").Signal<Settings>} */
  settings;
  status = signal(IDLE);
  /** Of the newest painted frame; changes with every paint. */
  epoch = signal(0);
  steps = signal(0);
  /** @type {import("../../vendor/preact-signals/signals.js").Signal<Metrics | null>} */
  metrics = signal(/** @type {Metrics | null} */ (null));
  /** Whether there is a setting to take back, and one to make again. */
  undoable = signal({ undo: false, redo: false });
  /** The last refusal, with the sentence to show. @type {import("../../vendor/preact-signals/signals.js").Signal<(Problem & {sentence: string}) | null>} */
  problem = signal(/** @type {(Problem & {sentence: string}) | null} */ (null));
  /** The loss curve; repaint it in an onFrame painter. */
  history = new Curve();
  /** The newest painted frame. @type {Frame | null} */
  frame = null;

  #undo = new Undo();
  /** @type {Set<Painter>} */
  #painters = new Set();
  /** @type {Header[]} */
  #owed = [];
  /** @type {Frame | null} */
  #newest = null;
  /** @type {Settings} */
  #confirmed;
  /** @type {Settings} */
  #waiting = {};
  #sending = false;
  #watched = false;
  /** A run that this tab trained before; it is paused once the new one is there. @type {string | null} */
  #left = null;
  #measure = new LayerWatch();

  /**
   * @param {Kind} kind
   * @param {Settings} settings What the URL asks for.
   */
  constructor(kind, settings) {
    this.kind = kind;
    this.settings = signal(settings);
    this.#confirmed = settings;
    const last = rememberedRun(kind);
    if (comesBack()) this.id = last;
    else this.#left = last;
    watch({
      frame: (frame) => this.#receive(frame),
      event: (event) => this.#hear(event),
      connection: (up) => {
        this.opened.value = false;
        if (up && this.#watched) void this.#open();
      },
    });
  }

  /** The page of this run is shown: open it, or find it again. */
  show() {
    this.#watched = true;
    if (connection.value === "live" && !this.opened.value) void this.#open();
  }

  /** The page is left: training goes on, but nothing is sent any more. */
  hide() {
    this.#watched = false;
    if (this.opened.value && this.id) void command({ type: "close", run: this.id });
    this.opened.value = false;
  }

  /**
   * Change settings. Shown at once; taken back, with the server's sentence, if it refuses.
   * @param {Settings} patch
   * @param {{undoable?: boolean}} [options]
   */
  set(patch, { undoable = true } = {}) {
    const before = this.settings.value;
    const changed = difference(before, patch);
    if (Object.keys(changed).length === 0) return;
    if (undoable) {
      const old = Object.fromEntries(Object.keys(changed).map((name) => [name, before[name]]));
      this.#undo.push(old, changed, performance.now());
      this.undoable.value = this.#undo.able;
    }
    if ("layers" in changed) this.#measure.start(sizesOf(fields(this.kind).layers, changed.layers));
    this.settings.value = { ...before, ...changed };
    this.#waiting = { ...this.#waiting, ...changed };
    void this.#flush();
  }

  undo() {
    this.#retrace(this.#undo.undo());
  }

  redo() {
    this.#retrace(this.#undo.redo());
  }

  /** @param {Settings | null} patch */
  #retrace(patch) {
    this.undoable.value = this.#undo.able;
    if (patch) this.set(patch, { undoable: false });
  }

  /**
   * Leave this run and open a new one, waiting at epoch 0: another address was asked for.
   * @param {Settings} settings
   */
  async startAnew(settings) {
    [this.#left, this.id] = [this.id ?? this.#left, null];
    this.#waiting = {};
    this.#newest = this.frame = null;
    this.#owed = [];
    this.#undo = new Undo();
    this.history.clear();
    batch(() => {
      this.opened.value = false;
      this.undoable.value = this.#undo.able;
      this.problem.value = this.metrics.value = null;
      this.status.value = { ...IDLE, executor: this.status.value.executor };
      this.epoch.value = this.steps.value = 0;
      this.settings.value = settings;
    });
    if (this.#watched && connection.peek() === "live") await this.#open();
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
   * @returns {Promise<Reply>}
   */
  async send(type, values = {}) {
    if (!this.opened.peek() && connection.peek() !== "reconnecting") await this.#whenOpened();
    const reply = await command({ ...values, type, run: this.id });
    if (reply.ok && reply.settings) this.#adopt(reply.settings);
    const missed = type === "look" && TRY_LATER.includes(reply.error?.code ?? ""); // the next look makes good for it
    if (!reply.ok && !missed) this.#refused(reply, values);
    else if (type !== "look" && type !== "draw") this.problem.value = null;
    return reply;
  }

  /**
   * Call `painter` with the newest frame, at most once per animation frame; at once if there is one.
   * @param {Painter} painter
   * @returns {() => void} Ends it.
   */
  onFrame(painter) {
    this.#painters.add(painter);
    if (this.frame) painter(this.frame, performance.now());
    return () => this.#painters.delete(painter);
  }

  /** A click on Play right after the page appeared waits for its run; after five seconds it is sent as it is. */
  #whenOpened() {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, OPENED_WITHIN_MS);
      const end = this.opened.subscribe((opened) => {
        if (!opened) return;
        clearTimeout(timer);
        queueMicrotask(() => end());
        resolve(undefined);
      });
    });
  }

  async #open() {
    const wanted = this.settings.value;
    let reply = await command({
      type: "open",
      kind: this.kind,
      settings: wanted,
      ...(this.id ? { run: this.id } : {}),
    });
    if (!reply.ok && this.id && !TRY_LATER.includes(reply.error?.code ?? "")) {
      notify("notice.run_lost");
      reply = await command({ type: "open", kind: this.kind, settings: wanted });
    }
    if (!reply.ok || !reply.run) {
      if (reply.error?.code !== "not_connected") this.#refused(reply, wanted);
      return;
    }
    this.id = reply.run;
    rememberRun(this.kind, reply.run);
    void this.#closeLeft();
    this.#confirmed = { ...wanted, ...reply.settings };
    this.opened.value = true;
    if (TRY_LATER.includes(this.problem.value?.code ?? "")) this.problem.value = null;
    if (!this.#watched) return this.hide();
    // The URL is what the reader asked for: a run found again follows it.
    this.settings.value = this.#confirmed;
    this.set(difference(this.#confirmed, { ...wanted, ...this.#waiting }), { undoable: false });
    void this.#flush();
  }

  /** The run that was left trains no further. A refusal means that the server has forgotten it already. */
  async #closeLeft() {
    const run = this.#left;
    this.#left = null;
    if (!run || run === this.id) return;
    await command({ type: "pause", run });
    await command({ type: "close", run });
  }

  /** One `set` at a time; what is changed meanwhile goes together in the next. */
  async #flush() {
    if (this.#sending || !this.opened.value || Object.keys(this.#waiting).length === 0) return;
    const patch = this.#waiting;
    this.#waiting = {};
    this.#sending = true;
    const run = this.id;
    const reply = await command({ type: "set", run, settings: patch });
    this.#sending = false;
    if (run !== this.id) return void this.#flush(); // the answer belongs to a run that was left meanwhile
    if (reply.ok) {
      this.#confirmed = { ...this.#confirmed, ...patch, ...reply.settings };
      this.#measure.sent(patch, reply.seq);
      this.problem.value = null;
    } else {
      this.#refused(reply, patch);
    }
    this.settings.value = { ...this.#confirmed, ...this.#waiting };
    void this.#flush();
  }

  /** Settings that the server changed by itself (a lower rate). @param {Settings} settings */
  #adopt(settings) {
    this.#confirmed = settings;
    this.settings.value = { ...settings, ...this.#waiting };
  }

  /** @param {Reply} reply @param {Record<string, any>} sent */
  #refused(reply, sent) {
    const problem = reply.error ?? { code: "internal", message: "The server refused this without a reason." };
    this.problem.value = { ...problem, sentence: explainProblem(problem, t, known, sent, fields(this.kind)) };
  }

  /** @param {Record<string, any>} event */
  #hear(event) {
    if (event.run !== this.id && event.run !== "") return;
    if (event.type === "status") {
      const { playing, reason = null, step, epoch, executor, values } = event;
      this.status.value = { playing, reason, step, epoch, executor: executor || this.status.value.executor, values };
      if (reason === "unwatched") notify("notice.unwatched");
    } else if (event.type === "notice" && event.values?.code !== "no_such_neuron") {
      // (A look at a neuron that was removed meanwhile needs no word: the next look is on its way.)
      const key = event.code === "refused" ? `error.${event.values?.code}` : `notice.${event.code}`;
      notify(known(key) ? key : null, { message: event.message, ...event.values }, event.message);
    }
  }

  /** @param {Frame} frame */
  #receive(frame) {
    if (frame.header.run !== this.id) return;
    this.#owed.push(frame.header);
    this.#newest = mergeFrames(this.#newest ?? this.frame, frame);
    this.#remember(frame);
    schedule(this.#paint);
  }

  /** @param {Frame} frame */
  #remember({ header, sections }) {
    if (header.key) this.history.clear();
    if (sections.curve) this.history.merge(sections.curve.data);
  }

  #paint = (/** @type {number} */ now) => {
    const frame = this.#newest;
    if (!frame) return false;
    this.#newest = null;
    this.frame = frame;
    batch(() => this.#publish(frame));
    for (const painter of this.#painters) painter(frame, now);
    this.#measure.painted(frame);
    for (const header of this.#owed.splice(0)) credit(header);
    return true;
  };

  /** @param {Frame} frame */
  #publish({ header, sections }) {
    this.epoch.value = header.epoch;
    this.steps.value = header.step;
    const status = this.status.value;
    if (status.playing !== header.playing) {
      this.status.value = { ...status, playing: header.playing, reason: header.playing ? null : status.reason };
    }
    const numbers = sections.metrics?.data;
    if (numbers) this.metrics.value = metricsOf(numbers, this.metrics.value);
  }
}
