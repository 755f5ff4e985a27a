/** The panel on the right: how well it reads, test digits with the network's answers, what it confuses. */
import { useRef, useState } from "../../../vendor/preact/hooks.js";
import { t } from "../../core/i18n.js";
import { html } from "../../lib/html.js";
import { formatNumber } from "../../lib/text.js";
import { Panel, Segmented } from "../../ui/controls.js";
import { Confusion } from "./confusion.js";
import { InkPicture, Probabilities, moveTo } from "./pictures.js";

/**
 * @typedef {import("../../core/run.js").Run} Run
 * @typedef {import("./model.js").View} View
 * @typedef {import("./model.js").GalleryItem} GalleryItem
 * @typedef {import("./subject.js").Subject} Subject
 */

/** @param {{run: Run, view: View | null, subject: Subject}} props */
export function OutputPanel({ run, view, subject }) {
  const [table, setTable] = useState(false);
  const { gallery } = run.settings.value;
  /** @param {string} value */
  function choose(value) {
    setTable(value === "confusion");
    if (value !== "confusion") run.set({ gallery: value });
  }
  const options = ["sample", "mistakes", "confusion"].map((value) => ({ value, label: t(`digits.gallery_${value}`) }));
  return html`<${Panel} title=${t("digits.output_panel")} class="digits-output">
    <p class="digits-sentence" data-testid="sentence">${sentence(run)}</p>
    <${Segmented} label=${t("digits.gallery")} value=${table ? "confusion" : gallery} options=${options} onChange=${choose} />
    ${view && (table ? html`<${Confusion} confusion=${view.confusion} />` : html`<${Gallery} view=${view} subject=${subject} mistakes=${gallery === "mistakes"} />`)}
  <//>`;
}

/** @param {Run} run */
function sentence(run) {
  const accuracy = run.metrics.value?.unseenAccuracy ?? NaN;
  if (run.steps.value === 0) return t("digits.sentence_start");
  if (!Number.isFinite(accuracy)) return t("digits.sentence_waiting");
  return t("digits.sentence", { share: formatNumber(100 * accuracy, 1) });
}

/** @param {{view: View, subject: Subject, mistakes: boolean}} props */
function Gallery({ view, subject, mistakes }) {
  const { gallery, picked } = view;
  if (gallery.length === 0) {
    const key = !mistakes ? "digits.gallery_loading" : view.confusion ? "digits.no_mistakes" : "digits.no_mistakes_yet";
    return html`<p class="digits-empty muted">${t(key)}</p>`;
  }
  return html`<${GalleryTiles} gallery=${gallery} picked=${picked} subject=${subject} />
    <${Chosen} view=${view} drawn=${subject.strokes.value.length > 0} />`;
}

/** @param {{gallery: GalleryItem[], picked: number, subject: Subject}} props */
function GalleryTiles({ gallery, picked, subject }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const stop = Math.max(0, picked);

  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const tiles = /** @type {HTMLElement[]} */ ([...(place.current?.querySelectorAll("button") ?? [])]);
    const from = tiles.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const columns = tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length;
    const next = from < 0 ? null : moveTo(event.key, from, tiles.length, columns);
    if (next === null) return;
    event.preventDefault();
    tiles[next].focus();
    subject.pick(gallery[next].image);
  }

  return html`<div ref=${place} class="digits-gallery" role="group" aria-label=${t("digits.gallery_label")} data-keys="arrows" onKeyDown=${onKeyDown}>
    ${gallery.map((item, position) => html`<${GalleryTile} key=${item.image} item=${item} chosen=${position === picked} stop=${position === stop} subject=${subject} />`)}
  </div>`;
}

/** @param {{item: GalleryItem, chosen: boolean, stop: boolean, subject: Subject}} props */
function GalleryTile({ item, chosen, stop, subject }) {
  const { image, label, answer } = item;
  const right = answer === label;
  const state = answer < 0 ? "unread" : right ? "right" : "wrong";
  const name = t(`digits.tile_${state}`, { image, label, answer });
  return html`<button type="button" class=${`digits-sample ${state}`} tabindex=${stop ? 0 : -1} aria-pressed=${chosen} aria-label=${name} title=${name} onClick=${() => subject.pick(image)}>
    <${InkPicture} pixels=${item.pixels} />
    <span aria-hidden="true">${answer < 0 ? "–" : html`<i>${right ? "✓" : "✗"}</i> ${answer}`}</span>
  </button>`;
}

/** The picture that is looked at: what it is, and how sure the network is. @param {{view: View, drawn: boolean}} props */
function Chosen({ view, drawn }) {
  const item = view.gallery[view.picked];
  const text = item ? t("digits.chosen", { image: item.image, label: item.label }) : t(drawn ? "digits.chosen_drawing" : "digits.chosen_other");
  return html`<div class="digits-chosen">
    <p class="muted">${text}</p>
    <${Probabilities} upright probabilities=${view.output.activations} label=${t("digits.probabilities")} />
  </div>`;
}
