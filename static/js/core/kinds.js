// A kind's own part of the page: loaded when its page is first shown, from the address that the server tells.
import { signal } from "../../vendor/preact-signals/signals.js";
import { kindOf } from "./describe.js";
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
 * @property {any} Page A component: Page({run}).
 * @property {any} [Notices] A component for what stands above the panels: Notices({run}).
 * @property {string[]} [views] Switches of the page that are kept in the address.
 * @property {(hash: string, fields: import("./describe.js").Fields) => ForeignLink | null} [readLink]
 *   Reads links of other programs; null for an address of this page's own.
 * @property {string[]} [help] Keys of the sentences that the help has for this page.
 * @property {[string, string][]} [keys] Keys of the keyboard ("↑ ↓") and of the sentences that explain them.
 */

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Record<Kind, KindModule>>} */
const modules = signal({});

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
    console.error(error);
    notify("notice.not_loaded");
    return null;
  }
}
