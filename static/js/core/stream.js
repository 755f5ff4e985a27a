// The connection to the server: commands with replies, frames with credits, reconnecting.
import { signal } from "../../vendor/preact-signals/signals.js";
import { io } from "../../vendor/socket.io-client/socket.io.js";
import { decodeFrame } from "../lib/frame.js";
import { description } from "./describe.js";
import { tab } from "./storage.js";

/**
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} message
 * @property {Record<string, any>} [values]
 *
 * @typedef {object} Reply
 * @property {boolean} ok
 * @property {number} seq
 * @property {Problem} [error]
 * @property {string} [run]
 * @property {boolean} [resumed]
 * @property {Record<string, any>} [settings]
 *
 * @typedef {object} Watcher
 * @property {(frame: import("../lib/frame.js").Frame) => void} frame
 * @property {(event: Record<string, any>) => void} event
 * @property {(connected: boolean) => void} connection
 *
 * @typedef {"connecting" | "live" | "reconnecting" | "refused"} Connection
 */

const REPLY_WITHIN_MS = 5000;
const RELOADED = "layerlab.reloaded"; // kept in this tab while a reload hasn't helped yet

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Connection>} */
export const connection = signal(/** @type {Connection} */ ("connecting"));

/** Why the server doesn't let this page in; null while it does. @type {import("../../vendor/preact-signals/signals.js").Signal<Problem | null>} */
export const refusal = signal(/** @type {Problem | null} */ (null));

/** @type {Set<Watcher>} */
const watchers = new Set();

// A reload must not start again below the numbers that a run found again has already applied.
let sequence = Math.floor(Date.now() / 10) % 2 ** 31;

const socket = io({
  transports: ["websocket"],
  autoConnect: false,
  reconnectionDelay: 300,
  reconnectionDelayMax: 3000,
});

socket.on("connect", () => {
  tab.remove(RELOADED);
  refusal.value = null;
  connection.value = "live";
  for (const watcher of watchers) watcher.connection(true);
});
socket.on("disconnect", (/** @type {string} */ reason) => {
  connection.value = "reconnecting";
  for (const watcher of watchers) watcher.connection(false);
  if (reason === "io server disconnect") socket.connect(); // the client retries by itself in every other case
});
socket.on("connect_error", (/** @type {Error & {data?: {code?: string}}} */ error) => {
  if (socket.active) connection.value = "reconnecting";
  else refuse({ code: error.data?.code ?? "", message: error.message }); // the client doesn't try again after a no
});
socket.on("frame", (/** @type {ArrayBuffer} */ blob) => {
  const frame = decodeFrame(blob, description.wire);
  for (const watcher of watchers) watcher.frame(frame);
});
socket.on("event", (/** @type {Record<string, any>} */ event) => {
  for (const watcher of watchers) watcher.event(event);
});

/**
 * A server that has another secret (its data folder was changed) doesn't know our cookie: it gives a new
 * one with the page. If that doesn't help, or if it has another reason, the page says so.
 * @param {Problem} problem
 */
function refuse(problem) {
  if (problem.code === "no_identity" && !tab.get(RELOADED) && tab.set(RELOADED, "1")) {
    location.reload();
    return;
  }
  connection.value = "refused";
  refusal.value = problem;
}

/** Connect; called once, after the first watcher is there. */
export function start() {
  socket.connect();
}

/** @param {Watcher} watcher */
export function watch(watcher) {
  watchers.add(watcher);
  if (socket.connected) watcher.connection(true);
}

/**
 * Send a command (without `seq`) and wait for the reply. Never rejects: without a connection, or
 * after five seconds of silence, the reply is a problem like any other.
 * @param {Record<string, any>} message
 * @returns {Promise<Reply>}
 */
export function command(message) {
  const seq = ++sequence;
  if (!socket.connected) return Promise.resolve(failure(seq, "not_connected", "There is no connection to the server."));
  return new Promise((resolve) => {
    socket
      .timeout(REPLY_WITHIN_MS)
      .emit("command", { ...message, seq }, (/** @type {Error | null} */ error, /** @type {Reply} */ reply) => {
        resolve(error ? failure(seq, "timeout", "The server did not answer within 5 seconds.") : reply);
      });
  });
}

/**
 * Tell the server that a frame was painted (or replaced by a newer one) and another may come.
 * @param {import("../lib/frame.js").Header} header
 */
export function credit(header) {
  if (socket.connected) socket.emit("credit", { run: header.run, frame: header.sequence });
}

/**
 * @param {number} seq
 * @param {string} code
 * @param {string} message
 * @returns {Reply}
 */
function failure(seq, code, message) {
  return { ok: false, seq, error: { code, message, values: {} } };
}
