// Where the page starts.
import { render } from "../vendor/preact/preact.js";
import { html } from "./lib/html.js";
import { description } from "./core/describe.js";
import { setLanguage } from "./core/i18n.js";
import { loadKind, loadLens } from "./core/kinds.js";
import { runOf } from "./core/runs.js";
import { followKeyboard } from "./core/shortcuts.js";
import { start } from "./core/stream.js";
import { followUrl, page } from "./core/url.js";
import { Shell } from "./page/shell.js";

// Kept waiting together: none needs the others.
await Promise.all([setLanguage(description.lang), loadKind(page.value), loadLens(page.value)]);
const place = /** @type {HTMLElement} */ (document.getElementById("app"));
place.replaceChildren();
render(html`<${Shell} />`, place);
followUrl(runOf);
followKeyboard(() => runOf(page.value));
start();
