// The connection to one run: opened, found again, opened anew, closed; commands, and the last refusal.
import { signal } from "../../vendor/preact-signals/signals-core.js";

/**
 * @typedef {import("./describe.js").Settings} Settings
 * @typedef {import("./stream.js").Reply} Reply
 * @typedef {import("./stream.js").Problem} Problem
 * @typedef {import("./stream.js").Connection} Connection
 *
 * @typedef {object} Wire The way to the server.
 * @property {(message: Record<string, any>) => Promise<Reply>} command Never rejects.
 * @property {import("../../vendor/preact-signals/signals.js").Signal<Connection>} connection
 *
 * @typedef {object} Visit Runs of before the page was loaded.
 * @property {string | null} found The run that this visit goes on with.
 * @property {string | null} left A run that trains no further once the new one is there.
 * @property {(run: string) => void} remember
 *
 * @typedef {object} Owner What the link asks and tells the run that it belongs to.
 * @property {() => Settings} wanted The settings that a run is opened with.
 * @property {() => {lens?: string}} lens The lens that it is opened with, where there is a choice.
 * @property {(settings: Settings, wanted: Settings) => void} opened The settings that the run has, and those asked for.
 * @property {() => void} lost The server no longer has the run: it is opened anew.
 *
 * @typedef {Problem & {sent: Record<string, any>}} Refusal A problem, and what was sent.
 */

const CONNECTED_WITHIN_MS = 5000;

/** Refusals that say nothing about the run itself. */
const TRY_LATER = ["busy", "timeout", "not_connected", "internal_error"];

/** Commands that follow the pointer: the next one makes good for one that is lost. */
const PASSING = ["look", "draw"];

export class Link {
  /** @type {string | null} */
  id;
  /** True once the server has opened the run on the connection that is up now. */
  opened = signal(false);
  /** The last refusal. @type {import("../../vendor/preact-signals/signals.js").Signal<Refusal | null>} */
  problem = signal(/** @type {Refusal | null} */ (null));

  #shown = false;
  /** @type {string | null} */
  #left;
  /** The opening that is under way. @type {Promise<Reply> | null} */
  #opening = null;
  /** Counts what makes an opening under way worthless: another address, another connection. */
  #attempt = 0;
  /** Why the run isn't open. @type {Reply | null} */
  #refusal = null;

  /**
   * @param {string} kind
   * @param {Wire} wire
   * @param {Visit} visit
   * @param {Owner} owner
   */
  constructor(kind, wire, visit, owner) {
    this.kind = kind;
    this.wire = wire;
    this.visit = visit;
    this.owner = owner;
    this.id = visit.found;
    this.#left = visit.left;
  }

  /** The page of this run is shown: open it, or find it again. */
  show() {
    this.#shown = true;
    if (this.wire.connection.peek() === "live" && !this.opened.peek()) void this.open();
  }

  /** The page is left: training goes on, but nothing is sent any more. */
  hide() {
    this.#shown = false;
    if (this.opened.peek() && this.id) void this.wire.command({ type: "close", run: this.id });
    this.opened.value = false;
  }

  /** The connection to the server came or went. @param {boolean} up */
  connected(up) {
    this.#abandon();
    if (up && this.#shown) void this.open();
  }

  /** Leave this run for a new one. Whoever asks for that has changed what `wanted` says. */
  async startAnew() {
    [this.#left, this.id] = [this.id ?? this.#left, null];
    this.#abandon();
    this.problem.value = null;
    if (this.#shown && this.wire.connection.peek() === "live") await this.open();
  }

  #abandon() {
    this.#attempt += 1;
    this.#opening = this.#refusal = null;
    this.opened.value = false;
  }

  /** Open the run; asked again while that is under way, the same answer serves. @returns {Promise<Reply>} */
  open() {
    if (!this.#opening) {
      const opening = this.#open(this.#attempt).finally(() => {
        if (this.#opening === opening) this.#opening = null;
      });
      this.#opening = opening;
    }
    return this.#opening;
  }

  /** @param {number} attempt @returns {Promise<Reply>} */
  async #open(attempt) {
    const wanted = this.owner.wanted();
    let reply = await this.#ask(wanted, this.id);
    if (!reply.ok && this.id && attempt === this.#attempt && !TRY_LATER.includes(reply.error?.code ?? "")) {
      this.owner.lost();
      reply = await this.#ask(wanted, null);
    }
    if (attempt !== this.#attempt) {
      if (reply.run && reply.run !== this.id) void this.#leave(reply.run);
      return this.#opening ?? { ...reply, ok: false };
    }
    if (!reply.ok || !reply.run) {
      this.#refusal = reply;
      if (reply.error?.code !== "not_connected") this.refused(reply, wanted);
      return reply;
    }
    this.#enter(reply.run);
    if (this.#shown) this.owner.opened(reply.settings ?? {}, wanted);
    else this.hide();
    return reply;
  }

  /** @param {Settings} settings @param {string | null} run */
  #ask(settings, run) {
    return this.wire.command({
      type: "open",
      kind: this.kind,
      settings,
      ...this.owner.lens(),
      ...(run ? { run } : {}),
    });
  }

  /** @param {string} run */
  #enter(run) {
    this.id = run;
    this.visit.remember(run);
    if (this.#left && this.#left !== run) void this.#leave(this.#left);
    this.#left = null;
    if (this.#refusal || TRY_LATER.includes(this.problem.peek()?.code ?? "")) this.problem.value = null;
    this.#refusal = null;
    this.opened.value = true;
  }

  /** A run that was left trains no further. A refusal means that the server has forgotten it already. @param {string} run */
  async #leave(run) {
    await this.wire.command({ type: "pause", run });
    await this.wire.command({ type: "close", run });
  }

  /**
   * Send a command about this run; what a run that isn't open needs first is done. A refusal is kept as the problem
   * and also returned.
   * @param {string} type
   * @param {Record<string, any>} [values]
   * @returns {Promise<Reply>}
   */
  async send(type, values = {}) {
    const shut = await this.#ready(type);
    if (shut) return shut; // told already
    const run = this.id;
    const reply = await this.wire.command({ ...values, type, run });
    if (run !== this.id) return { ...reply, ok: false }; // it was left meanwhile: nothing is to be made of the answer
    const missed = type === "look" && TRY_LATER.includes(reply.error?.code ?? "");
    if (!reply.ok && !missed) this.refused(reply, values);
    else if (!PASSING.includes(type)) this.problem.value = null;
    return reply;
  }

  /** Its reader wants something of the run. If it couldn't be opened before, try again: a place may be free now. */
  knock() {
    if (this.#shown && this.#refusal && !this.#opening && this.wire.connection.peek() === "live") void this.open();
  }

  /** Why the run can't be opened, or null: it is open (or there is no connection, which the wire says itself). @param {string} type */
  async #ready(type) {
    if (this.opened.peek()) return null;
    await this.#connecting();
    if (this.wire.connection.peek() !== "live") return null;
    if (PASSING.includes(type) && this.#refusal && !this.#opening) return this.#refusal; // no reason to ask once more
    const reply = await this.open();
    return reply.ok ? null : reply;
  }

  /** A click on Play right after the page appeared waits for the connection, five seconds at most. */
  #connecting() {
    return new Promise((resolve) => {
      if (this.wire.connection.peek() !== "connecting") return void resolve(undefined);
      const timer = setTimeout(resolve, CONNECTED_WITHIN_MS);
      const end = this.wire.connection.subscribe((state) => {
        if (state === "connecting") return;
        clearTimeout(timer);
        queueMicrotask(() => end());
        resolve(undefined);
      });
    });
  }

  /** @param {Reply} reply @param {Record<string, any>} sent */
  refused(reply, sent) {
    const problem = reply.error ?? { code: "internal_error", message: "The server refused this without a reason." };
    this.problem.value = { ...problem, sent };
  }
}
