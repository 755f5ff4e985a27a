// What the page tells its reader: banners that stay, toasts that go.
import { html } from "../lib/html.js";
import { t } from "../core/i18n.js";
import { announcement, dismiss, toasts } from "../core/notices.js";
import { IconButton } from "./controls.js";

/**
 * A sentence across the page with at most one thing to do about it.
 * @param {{kind: "problem" | "hint", children?: any, action?: any, onClose?: () => void}} props
 */
export function Banner({ kind, children, action, onClose }) {
  return html`<div class="banner ${kind}" role=${kind === "problem" ? "alert" : "status"}>
    <p>${children}</p>
    ${action}
    ${onClose && html`<${IconButton} icon="close" label=${t("action.close")} onClick=${onClose} />`}
  </div>`;
}

export function Toasts() {
  return html`<div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      (toast) => html`<div class="toast" key=${toast.id}>
        <p>${toast.key ? t(toast.key, toast.values) : toast.text}</p>
        <${IconButton} icon="close" label=${t("action.close")} onClick=${() => dismiss(toast.id)} />
      </div>`,
    )}
  </div>`;
}

/** Milestones for a screen reader. */
export function Announcer() {
  return html`<div class="visually-hidden" role="status" aria-live="polite">${announcement}</div>`;
}
