// A kind's own part of the page, and those of its lenses: loaded when first shown, from the addresses that the server tells.
import { signal } from "../../vendor/preact-signals/signals.js";
import { kindOf } from "./describe.js";
import { lensOf } from "./lenses.js";
import { notify } from "./notices.js";

/**
 * @typedef {import("./describe.js").Kind} Kind
 * @typedef {import("./describe.js").Settings} Settings
 *
 * @typedef {object} ForeignLink What a link of another program asks for.
 * @property {Settings} settings
 * @property {Record<string, string>} view Switches of the page that are on ("1").
 * @property {string} note Key of the sentence that says what became of the link.
 *
 * @typedef {object} KindModule What `static/js/kinds/NAME/index.js` exports.
 * @property {any} Page A component: Page({run, lens}); `lens` is a LensModule, null while it is loaded.
 * @property {any} [Notices] A component for what stands above the panels: Notices({run}).
 * @property {string[]} [views] Switches of the page that are kept in the address.
 * @property {(hash: string, fields: import("./describe.js").Fields) => ForeignLink | null} [readLink]
 *   Reads links of other programs; null for an address of this page's own.
 * @property {string[]} [help] Keys of the sentences that the help has for this page.
 * @property {[string, string][]} [keys] Keys of the keyboard ("↑ ↓") and of the sentences that explain them.
 *
 * @typedef {object} LensModule What `static/js/kinds/NAME/lenses/LENS/index.js` exports.
 * @property {any} Stage A component: Stage({run, ...}); what else it is given is up to the kind's Page.
 * @property {(...about: any[]) => string | null} [sentence] What is seen, in plain words; null for what the page itself says.
 * @property {string[]} [help] As a kind's.
 * @property {[string, string][]} [keys] As a kind's.
 */

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Record<Kind, KindModule>>} */
const modules = signal({});

/** By their addresses. @type {import("../../vendor/preact-signals/signals.js").Signal<Record<string, LensModule>>} */
const lenses = signal({});

/** A kind's part of the page, if it is loaded already. @param {Kind} kind @returns {KindModule | undefined} */
export function kindModule(kind) {
  return modules.value[kind];
}

/**
 * Load a kind's part of the page. Where that fails the reader is told; asking again tries again.
 * @param {Kind} kind
 * @returns {Promise<KindModule | null>} null if it could not be loaded.
 */
export async function loadKind(kind) {
  const known = modules.peek()[kind];
  if (known) return known;
  try {
    /** @type {KindModule} */
    const module = await import(kindOf(kind).module);
    modules.value = { ...modules.peek(), [kind]: module };
    return module;
  } catch (error) {
    return notLoaded(error);
  }
}

/** The part of the page of the lens that is open, if it is loaded already. @param {Kind} kind @returns {LensModule | null} */
export function lensModule(kind) {
  return lenses.value[openLensOf(kind)?.module ?? ""] ?? null;
}

/** Load the lens that is open, with its style sheets. Where that fails the reader is told. @param {Kind} kind */
export async function loadLens(kind) {
  const lens = openLensOf(kind);
  if (!lens || lens.module in lenses.peek()) return;
  try {
    const [module] = await Promise.all([import(lens.module), ...lens.styles.map(loadStyles)]);
    lenses.value = { ...lenses.peek(), [lens.module]: module };
  } catch (error) {
    notLoaded(error);
  }
}

/** @param {Kind} kind */
function openLensOf(kind) {
  return kindOf(kind).lenses.find(({ name }) => name === lensOf(kind));
}

/** @param {string} address Of a style sheet. @returns {Promise<unknown>} */
function loadStyles(address) {
  const { href } = new URL(address, location.href);
  const known = [...document.styleSheets].some((sheet) => sheet.href === href);
  if (known) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => {
      link.remove();
      reject(new Error(`${href} could not be loaded`));
    });
    document.head.append(link);
  });
}

/** @param {unknown} error @returns {null} */
function notLoaded(error) {
  console.error(error);
  notify("notice.not_loaded");
  return null;
}
