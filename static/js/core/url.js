// The address: the path names the page, the hash carries its settings, readable and only what differs.
import { effect, signal } from "../../vendor/preact-signals/signals.js";
import { readHash, writeHash } from "../lib/settings.js";
import { fields } from "./describe.js";

/**
 * @typedef {import("./describe.js").Kind} Kind
 * @typedef {import("../lib/settings.js").Fault} Fault
 */

/** @type {Record<Kind, string>} */
const PATHS = { points: "/", digits: "/digits" };

/** Keys of the hash that belong to the view, not to the run: key → shown in the hash. */
export const VIEW_KEYS = ["page", "unseen", "hard"];

/** The page that is shown. @type {import("../../vendor/preact-signals/signals.js").Signal<Kind>} */
export const page = signal(pageOf(location));

/** Switches of the views that are kept in the hash ("1" is on). @type {import("../../vendor/preact-signals/signals.js").Signal<Record<string, string>>} */
export const view = signal(viewOf(location.hash));

/** What was wrong with the hash, per page. @type {import("../../vendor/preact-signals/signals.js").Signal<{kind: Kind, faults: Fault[]}>} */
export const faults = signal({ kind: page.value, faults: /** @type {Fault[]} */ ([]) });

/** @param {{pathname: string, hash: string}} place @returns {Kind} */
function pageOf({ pathname, hash }) {
  const named = new URLSearchParams(hash.slice(1)).get("page");
  if (named === "points" || named === "digits") return named;
  return pathname.endsWith("/digits") ? "digits" : "points";
}

/** @param {string} hash @returns {Record<string, string>} */
function viewOf(hash) {
  const found = [...new URLSearchParams(hash.slice(1))].filter(([name]) => name !== "page" && VIEW_KEYS.includes(name));
  return Object.fromEntries(found.filter(([, value]) => value === "1"));
}

/** Settings of the hash for `kind`; what is broken in it goes to `faults`. @param {Kind} kind */
export function settingsFromHash(kind) {
  const read = readHash(pageOf(location) === kind ? location.hash : "", fields(kind), VIEW_KEYS);
  faults.value = { kind, faults: read.faults };
  return read.settings;
}

/** Turn a switch of the view on or off, in the hash as well. @param {string} name @param {boolean} on */
export function setView(name, on) {
  const { [name]: _, ...rest } = view.value;
  view.value = on ? { ...rest, [name]: "1" } : rest;
}

/** The hash for `settings` of `kind`. @param {Kind} kind @param {import("./describe.js").Settings} settings */
function hashOf(kind, settings) {
  return writeHash(settings, fields(kind), { ...(kind === "points" ? {} : { page: kind }), ...view.value });
}

/** Show another page, without a reload. @param {Kind} kind @param {import("./describe.js").Settings | undefined} settings */
export function goTo(kind, settings) {
  if (page.value === kind) return;
  view.value = {};
  history.pushState(null, "", PATHS[kind] + (settings ? hashOf(kind, settings) : ""));
  page.value = kind;
}

/**
 * Keep the address in step with the settings of the run that is shown, and the page with the address.
 * @param {(kind: Kind) => import("./run.js").Run | undefined} runOf
 */
export function followUrl(runOf) {
  let timer = 0;
  const write = () => {
    const run = runOf(page.value);
    if (!run) return;
    const wanted = PATHS[page.value] + hashOf(page.value, run.settings.value);
    if (location.pathname + location.hash !== wanted) history.replaceState(null, "", wanted);
  };
  effect(() => {
    void view.value;
    void runOf(page.value)?.settings.value;
    clearTimeout(timer);
    timer = setTimeout(write, 200); // browsers refuse more than some 100 changes in 30 s
  });
  addEventListener("pagehide", write);
  addEventListener("popstate", () => {
    clearTimeout(timer);
    page.value = pageOf(location);
    view.value = viewOf(location.hash);
    runOf(page.value)?.set(settingsFromHash(page.value));
  });
}
