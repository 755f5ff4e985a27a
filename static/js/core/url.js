// The address: the path names the page, the hash carries its settings, readable and only what differs.
import { effect, signal } from "../../vendor/preact-signals/signals.js";
import { fromPlayground } from "../kinds/points/playground.js";
import { readHash, writeHash } from "../lib/settings.js";
import { defaults, fields } from "./describe.js";

/**
 * @typedef {import("./describe.js").Kind} Kind
 * @typedef {import("../lib/settings.js").Fault} Fault
 *
 * @typedef {object} Findings What is to be said about the address.
 * @property {Kind} kind
 * @property {Fault[]} faults
 * @property {boolean} playground Whether it is a link of TensorFlow Playground.
 */

/** @type {Record<Kind, string>} */
const PATHS = { points: "/", digits: "/digits" };

/** Keys of the hash that belong to the view, not to the run: key → shown in the hash. */
export const VIEW_KEYS = ["page", "unseen", "hard"];

/** Marks the entries of the tab's history that this page wrote; an address typed by hand has no mark. */
const OURS = { layerlab: true };

takeInQuery();

/** The page that is shown. @type {import("../../vendor/preact-signals/signals.js").Signal<Kind>} */
export const page = signal(pageOf(location));

/** Switches of the views that are kept in the hash ("1" is on). @type {import("../../vendor/preact-signals/signals.js").Signal<Record<string, string>>} */
export const view = signal(viewOf(location));

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Findings>} */
export const findings = signal(/** @type {Findings} */ ({ kind: page.value, faults: [], playground: false }));

/** Settings may also stand behind a "?": from now on they stand behind the "#". The language stays where it is. */
function takeInQuery() {
  const query = new URLSearchParams(location.search);
  query.delete("lang");
  if (query.size === 0) return;
  const hash = [query.toString(), location.hash.slice(1)].filter(Boolean).join("&");
  history.replaceState(history.state, "", `${location.pathname}${languageQuery()}#${hash}`);
}

function languageQuery() {
  const lang = new URLSearchParams(location.search).get("lang");
  return lang === null ? "" : `?lang=${encodeURIComponent(lang)}`;
}

/** @param {{pathname: string, hash: string}} place @returns {Kind} */
function pageOf({ pathname, hash }) {
  const named = new URLSearchParams(hash.slice(1)).get("page");
  if (named === "points" || named === "digits") return named;
  return pathname.endsWith("/digits") ? "digits" : "points";
}

/** @param {{pathname: string, hash: string}} place @returns {Record<string, string>} */
function viewOf(place) {
  const translated = pageOf(place) === "points" ? fromPlayground(place.hash, fields("points")) : null;
  if (translated) return translated.view;
  const keys = VIEW_KEYS.filter((name) => name !== "page");
  const found = [...new URLSearchParams(place.hash.slice(1))].filter(([name]) => keys.includes(name));
  return Object.fromEntries(found.filter(([, value]) => value === "1"));
}

/** Settings of the hash for `kind`; what is to be said about it goes to `findings`. @param {Kind} kind */
export function settingsFromHash(kind) {
  const hash = pageOf(location) === kind ? location.hash : "";
  const translated = kind === "points" ? fromPlayground(hash, fields(kind)) : null;
  if (translated) {
    findings.value = { kind, faults: [], playground: true };
    return { ...defaults(kind), ...translated.settings };
  }
  const read = readHash(hash, fields(kind), VIEW_KEYS);
  findings.value = { kind, faults: read.faults, playground: false };
  return read.settings;
}

/** Turn a switch of the view on or off, in the hash as well. @param {string} name @param {boolean} on */
export function setView(name, on) {
  const { [name]: _, ...rest } = view.value;
  view.value = on ? { ...rest, [name]: "1" } : rest;
}

/** The address of `kind` with these settings. @param {Kind} kind @param {import("./describe.js").Settings | undefined} settings */
function addressOf(kind, settings) {
  const hash = settings ? writeHash(settings, fields(kind), view.value) : "";
  return PATHS[kind] + languageQuery() + hash;
}

/** Show another page, without a reload. @param {Kind} kind @param {import("./describe.js").Settings | undefined} settings */
export function goTo(kind, settings) {
  if (page.value === kind) return;
  view.value = {};
  history.pushState(OURS, "", addressOf(kind, settings));
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
    const wanted = addressOf(page.value, run.settings.value);
    const shown = location.pathname + location.search + location.hash;
    if (shown !== wanted || !history.state?.layerlab) history.replaceState(OURS, "", wanted);
  };
  effect(() => {
    void view.value;
    void runOf(page.value)?.settings.value;
    clearTimeout(timer);
    timer = setTimeout(write, 200); // browsers refuse more than some 100 changes in 30 s
  });
  addEventListener("pagehide", write);
  addEventListener("popstate", ({ state }) => {
    clearTimeout(timer);
    const run = runOf(pageOf(location));
    view.value = viewOf(location);
    page.value = pageOf(location);
    // Back and forward go on with the run; an address typed by hand asks for a new one.
    if (state?.layerlab) run?.set(settingsFromHash(page.value));
    else void run?.startAnew(settingsFromHash(page.value));
  });
}
