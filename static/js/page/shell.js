// The frame around every kind of page: header with tabs, language, theme; toolbar; messages.
import { useEffect, useRef } from "../../vendor/preact/hooks.js";
import { html } from "../lib/html.js";
import { description, kindOf } from "../core/describe.js";
import { language, setLanguage, t } from "../core/i18n.js";
import { kindModule, lensModule, loadLens } from "../core/kinds.js";
import { lensOf } from "../core/lenses.js";
import { announcement } from "../core/notices.js";
import { runOf, showRun } from "../core/runs.js";
import { helpOpen } from "../core/shortcuts.js";
import { IDLE } from "../core/state.js";
import { connection } from "../core/stream.js";
import { nextTheme, theme } from "../core/theme.js";
import { goTo, page } from "../core/url.js";
import { IconButton } from "../ui/controls.js";
import { HelpDialog, executorName, executorWords } from "../ui/help.js";
import { Announcer, Toasts } from "../ui/messages.js";
import { useMore } from "../ui/overflow.js";
import { Problems } from "./problems.js";
import { Toolbar } from "./toolbar.js";

/** @typedef {import("../core/describe.js").Kind} Kind */

// What was said of one page is no news on another.
page.subscribe(() => {
  announcement.value = "";
});

export function Shell() {
  const kind = page.value;
  const [run, module] = [runOf(kind), kindModule(kind)];
  useEffect(() => void showRun(kind), [kind]);
  useEffect(() => void loadLens(kind), [kind, lensOf(kind)]);
  return html`<${Header} />
    <main id="main" class="page ${kind}" tabindex="-1">
      <h1 class="visually-hidden">${t(kindOf(kind).title)}</h1>
      ${
        run &&
        module &&
        html`<${Toolbar} run=${run} />
          <div class="notices">
            <${Problems} run=${run} />
            ${module.Notices && html`<${module.Notices} run=${run} />`}
          </div>
          <${module.Page} run=${run} lens=${lensModule(kind)} />`
      }
    </main>
    <${HelpDialog} /><${Toasts} /><${Announcer} />`;
}

function Header() {
  const [start] = description.kinds;
  const tabs = useRef(/** @type {HTMLElement | null} */ (null));
  const more = useMore(tabs, description.kinds.length);
  useEffect(() => {
    showInMiddle(tabs.current?.querySelector("[aria-current]"));
  }, [page.value, language.value]);
  return html`<header class="header">
    <a class="skip" href="#main" onClick=${skipToMain}>${t("header.skip")}</a>
    <a class="logo" href=${start.path} onClick=${(/** @type {Event} */ event) => follow(event, start.name)}>
      <${Logo} /><span>${t("app.name")}</span>
    </a>
    <nav class=${`tabs ${more}`} ref=${tabs} aria-label=${t("header.pages")}>
      ${description.kinds.map(
        ({ name, path, title }) =>
          html`<a
            href=${path}
            aria-current=${page.value === name ? "page" : undefined}
            onFocus=${(/** @type {Event} */ event) => showInMiddle(/** @type {Element} */ (event.currentTarget))}
            onClick=${(/** @type {Event} */ event) => follow(event, name)}
          >${t(title)}</a>`,
      )}
    </nav>
    <div class="header-end">
      <${Badge} />
      ${description.languages
        .filter(({ code }) => code !== language.value)
        .map(
          ({ code, name, html: lang }) => html`<button
        type="button"
        class="button quiet"
        lang=${lang}
        onClick=${() => setLanguage(code)}
      >${name}</button>`,
        )}
      <${IconButton} icon="theme" label=${t("header.theme", { theme: t(`theme.${theme.value}`) })} onClick=${nextTheme} />
      <${IconButton} icon="help" label=${t("help.title")} keys="?" onClick=${() => (helpOpen.value = true)} />
    </div>
  </header>`;
}

/** Scroll the tabs so that this one stands in their middle, as far as they can be scrolled. @param {Element | null} [tab] */
function showInMiddle(tab) {
  const tabs = tab?.parentElement;
  if (!tab || !tabs) return;
  const [box, room] = [tab.getBoundingClientRect(), tabs.getBoundingClientRect()];
  tabs.scrollLeft += (box.left + box.right - room.left - room.right) / 2;
}

/** What computes the network; the dot tells of the connection. */
function Badge() {
  const status = runOf(page.value)?.status.value ?? IDLE;
  const state = connection.value;
  const text = state === "live" && status.executor ? executorName(status) : t(`connection.${state}`);
  const title = [t(`connection.${state}`), ...executorWords(status)].join("\n");
  return html`<span class="badge ${state}" title=${title}><span class="dot" />${text}</span>`;
}

/** @param {Event} event @param {Kind} kind */
function follow(event, kind) {
  const mouse = /** @type {MouseEvent} */ (event);
  if (mouse.ctrlKey || mouse.metaKey || mouse.shiftKey) return;
  event.preventDefault();
  goTo(kind, runOf(kind)?.settings.value);
}

/** The hash is the page's state, so this link must not change it. @param {Event} event */
function skipToMain(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Logo() {
  return html`<svg
    viewBox="0 0 28 24"
    width="28"
    height="24"
    aria-hidden="true"
    fill="none"
    stroke-width="2.4"
    stroke-linecap="round"
  >
    <path class="positive" d="M5 5C14 5 14 19 23 19" /><path class="negative" d="M5 19C14 19 14 5 23 5" />
    <circle class="positive" cx="5" cy="5" r="3.2" /><circle class="negative" cx="5" cy="19" r="3.2" />
    <circle class="positive" cx="23" cy="5" r="3.2" /><circle class="negative" cx="23" cy="19" r="3.2" />
  </svg>`;
}
