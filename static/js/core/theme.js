// Light, dark or as the system: one attribute on <html>; CSS does the rest. Canvas reads colours here.
import { computed, effect, signal } from "../../vendor/preact-signals/signals.js";
import { diverging, parseColour } from "../lib/colour.js";
import { browser } from "./storage.js";

/** @typedef {"auto" | "light" | "dark"} Theme */
/** @type {Theme[]} */
const THEMES = ["auto", "light", "dark"];

const system = matchMedia("(prefers-color-scheme: dark)");
const stored = browser.get("layerlab.theme");

export const theme = signal(/** @type {Theme} */ (stored === "light" || stored === "dark" ? stored : "auto"));
const systemDark = signal(system.matches);
system.addEventListener("change", () => {
  systemDark.value = system.matches;
});

/** Whether the page is dark now. */
const dark = computed(() => (theme.value === "auto" ? systemDark.value : theme.value === "dark"));

/** Set after the attribute, so that colours are read from the style that holds. */
const applied = signal("");

effect(() => {
  document.documentElement.dataset.theme = dark.value ? "dark" : "light";
  browser.set("layerlab.theme", theme.value);
  applied.value = dark.value ? "dark" : "light";
});

/** auto → light → dark → auto. */
export function nextTheme() {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length];
}

/**
 * The colours that canvas needs, read from the style sheet after each change of the theme.
 * `table`: 256 colours (as ImageData's 32-bit words) from orange (-1) over the paper to blue (+1); `hard`: the
 * same with the two ends only.
 */
export const palette = computed(() => {
  void applied.value;
  const style = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const [low, middle, high] = ["--field-negative", "--field-zero", "--field-positive"].map((name) =>
    parseColour(colour(name)),
  );
  return {
    table: diverging(low, middle, high),
    hard: diverging(low, middle, high, { hard: true }),
    fieldPositive: colour("--field-positive"),
    fieldNegative: colour("--field-negative"),
    positive: colour("--positive"),
    negative: colour("--negative"),
    panel: colour("--panel"),
    ink: colour("--ink"),
    muted: colour("--muted"),
    line: colour("--line"),
  };
});
