// The page's words: one catalogue a language, merged by the server from their files, switched without a reload.
import { computed, signal } from "../../vendor/preact-signals/signals.js";
import { fill } from "../lib/text.js";
import { description } from "./describe.js";

/** @type {import("../../vendor/preact-signals/signals.js").Signal<Record<string, string>>} */
const catalogue = signal({});
/** The code of the current language. */
export const language = signal(description.lang);

/**
 * The sentence `key` in the current language, its `{name}`s filled from `values`. With `values.n` equal
 * to 1 the key `<key>.one` is taken where the catalogue has one. A component that calls this is drawn
 * again when the language changes.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(key, values = {}) {
  const words = catalogue.value;
  const found = (Number(values.n) === 1 ? words[`${key}.one`] : undefined) ?? words[key];
  return found === undefined ? key : fill(found, values);
}

/** Whether the catalogue has `key`. @param {string} key */
export function known(key) {
  return key in catalogue.value;
}

/** The current language as the browser's number formats name it. */
export const locale = computed(() => languageOf(language.value).html);

/** @param {string} code */
function languageOf(code) {
  const found = description.languages.find((one) => one.code === code);
  if (!found) throw new Error(`the server has no texts in the language "${code}"`);
  return found;
}

/**
 * Load a catalogue and switch to it; the choice is remembered.
 * @param {string} wanted The code of a language that the server has told.
 */
export async function setLanguage(wanted) {
  const response = await fetch(`/texts/${wanted}.json`);
  if (!response.ok) throw new Error(`the catalogue ${wanted}.json could not be loaded: ${response.status}`);
  catalogue.value = await response.json();
  language.value = wanted;
  document.documentElement.lang = languageOf(wanted).html;
  document.title = t("app.title");
  document.cookie = `layerlab_lang=${wanted}; path=/; max-age=31536000; samesite=lax`; // the server reads it, too
}
