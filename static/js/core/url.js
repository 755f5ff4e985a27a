// The address: the path names the page, the hash carries its settings, readable and only what differs.
import { effect, signal } from "../../vendor/preact-signals/signals.js";
import { readHash, writeHash } from "../lib/settings.js";
import { afterPause } from "../lib/throttle.js";
import { defaults, description, fields, kindOf } from "./describe.js";
import { kindModule } from "./kinds.js";
import { lensOf, openLens } from "./lenses.js";

/**
 * @typedef {import("./describe.js").Kind} Kind
 * @typedef {import("../lib/settings.js").Fault} Fault
 *
 * @typedef {object} Findings What is to be said about the address.
 * @property {Kind} kind
 * @property {Fault[]} faults
 * @property {string} note Key of the sentence on a link of another program; "" for an address of our own.
 */

/** Key of the hash that names the page, before its path did. */
const PAGE = "page";

/** Marks the entries of the tab's history that this page wrote; an address typed by hand has no mark. */
const OURS = { layerlab: true };

takeInQuery();

/** The page that is shown. @type {import("../../vendor/preact-signals/signals.js").Signal<Kind>} */
export const page = signal(pageOf(location));

/** Switches of the page that are kept in the hash ("1" is on). @type {import("../../vendor/preact-signals/signals.js").Signal<Record<string, string>>} */
export const view = signal({});

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Findings>} */
export const findings = signal(/** @type {Findings} */ ({ kind: page.value, faults: [], note: "" }));

/** Settings may also stand behind a "?": from now on they stand behind the "#". The language stays where it is. */
function takeInQuery() {
  const query = new URLSearchParams(location.search);
  query.delete("lang");
  if (query.toString() === "") return;
  const hash = [query.toString(), location.hash.slice(1)].filter(Boolean).join("&");
  history.replaceState(history.state, "", `${location.pathname}${languageQuery()}#${hash}`);
}

function languageQuery() {
  const lang = new URLSearchParams(location.search).get("lang");
  return lang === null ? "" : `?lang=${encodeURIComponent(lang)}`;
}

/** @param {{pathname: string, hash: string}} place @returns {Kind} */
function pageOf({ pathname, hash }) {
  const named = new URLSearchParams(hash.slice(1)).get(PAGE);
  const { kinds } = description;
  const found = kinds.find(({ name }) => name === named) ?? kinds.find(({ path }) => path === pathname);
  return found?.name ?? description.page;
}

/**
 * What the address of a page may hold besides its switches: the settings, and the lens where there are several.
 * @param {Kind} kind
 * @returns {import("./describe.js").Fields}
 */
export function addressFields(kind) {
  const choices = kindOf(kind).lenses.map(({ name }) => name);
  return choices.length < 2
    ? fields(kind)
    : { ...fields(kind), lens: { type: "choice", choices, default: choices[0] } };
}

/**
 * Settings of the hash for `kind`, whose module is loaded. Its lens is opened, its switches go to `view`, what is to be
 * said to `findings`.
 * @param {Kind} kind
 */
export function settingsFromHash(kind) {
  const hash = pageOf(location) === kind ? location.hash : "";
  const { readLink, views = [] } = kindModule(kind) ?? {};
  const foreign = readLink?.(hash, fields(kind));
  if (foreign) {
    view.value = foreign.view;
    findings.value = { kind, faults: [], note: foreign.note };
    return { ...defaults(kind), ...foreign.settings };
  }
  const switches = [...new URLSearchParams(hash.slice(1))].filter(([name]) => views.includes(name));
  view.value = Object.fromEntries(switches.filter(([, value]) => value === "1"));
  const read = readHash(hash, addressFields(kind), [PAGE, ...views]);
  findings.value = { kind, faults: read.faults, note: "" };
  const { lens, ...settings } = read.settings;
  if (lens) openLens(kind, lens);
  return settings;
}

/** Turn a switch of the view on or off, in the hash as well. @param {string} name @param {boolean} on */
export function setView(name, on) {
  const { [name]: _, ...rest } = view.value;
  view.value = on ? { ...rest, [name]: "1" } : rest;
}

/** The address of `kind` with these settings. @param {Kind} kind @param {import("./describe.js").Settings | undefined} settings */
function addressOf(kind, settings) {
  const hash = settings ? writeHash({ ...settings, lens: lensOf(kind) }, addressFields(kind), view.value) : "";
  return kindOf(kind).path + languageQuery() + hash;
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
  const write = () => {
    const run = runOf(page.value);
    if (!run) return;
    const wanted = addressOf(page.value, run.settings.value);
    const shown = location.pathname + location.search + location.hash;
    if (shown !== wanted || !history.state?.layerlab) history.replaceState(OURS, "", wanted);
  };
  const later = afterPause(write, 200); // browsers refuse more than some 100 changes in 30 s
  effect(() => {
    void [view.value, lensOf(page.value)];
    void runOf(page.value)?.settings.value;
    later.offer();
  });
  addEventListener("pagehide", write);
  addEventListener("popstate", ({ state }) => {
    later.end();
    page.value = pageOf(location);
    const run = runOf(page.value);
    if (!run) return; // its settings are read when it is shown
    // Back and forward go on with the run; an address typed by hand asks for a new one.
    const settings = settingsFromHash(page.value);
    if (state?.layerlab) run.set(settings);
    else void run.startAnew(settings);
  });
}
