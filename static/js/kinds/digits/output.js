/** The panel on the right: how well it reads, test digits with the network's answers, what it confuses. */
import { useRef, useState } from "../../../vendor/preact/hooks.js";
import { t } from "../../core/i18n.js";
import { html } from "../../lib/html.js";
import { formatNumber } from "../../lib/text.js";
import { Panel, Segmented } from "../../ui/controls.js";
import { Confusion } from "./confusion.js";
import { testedSinceStart } from "./model.js";
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
    <p class="digits-sentence" data-testid="sentence">${sentence(run, view)}</p>
    <${Segmented} label=${t("digits.gallery")} value=${table ? "confusion" : gallery} options=${options} onChange=${choose} />
    ${view && (table ? html`<${Confusion} view=${view} />` : html`<${Gallery} view=${view} subject=${subject} mistakes=${gallery === "mistakes"} />`)}
  <//>`;
}

/** @param {Run} run @param {View | null} view */
function sentence(run, view) {
  const accuracy = run.metrics.value?.unseenAccuracy ?? NaN;
  if (view?.overflowed) return t("digits.sentence_overflowed");
  if (run.steps.value === 0) return t("digits.sentence_start");
  const tested = testedSinceStart(run.history.columns[0], run.status.value.playing);
  if (!tested || !Number.isFinite(accuracy)) return t("digits.sentence_waiting");
  return t("digits.sentence", { share: formatNumber(100 * accuracy, 1) });
}

/** @param {{view: View, subject: Subject, mistakes: boolean}} props */
function Gallery({ view, subject, mistakes }) {
  const { gallery, picked, overflowed } = view;
  if (gallery.length === 0) {
    const key = !mistakes ? "digits.gallery_loading" : view.confusion ? "digits.no_mistakes" : "digits.no_mistakes_yet";
    return html`<p class="digits-empty muted">${t(key)}</p>`;
  }
  const states = gallery.map((item) => tileState(item, mistakes, overflowed));
  return html`<${GalleryTiles} gallery=${gallery} states=${states} picked=${picked} subject=${subject} />
    ${mistakes && !overflowed && html`<p class="digits-note">${t("digits.gallery_renewed")}</p>`}
    <${Chosen} view=${view} drawn=${subject.strokes.value.length > 0} />`;
}

/**
 * How an image was read. The mistakes are those of the last test: while it trains on, some are read correctly.
 * @param {GalleryItem} item
 * @param {boolean} mistakes
 * @param {boolean} overflowed
 */
function tileState({ answer, label }, mistakes, overflowed) {
  if (overflowed) return "overflowed";
  if (answer < 0) return "unread";
  if (answer !== label) return "wrong";
  return mistakes ? "now_right" : "right";
}

/** @param {{gallery: GalleryItem[], states: string[], picked: number, subject: Subject}} props */
function GalleryTiles({ gallery, states, picked, subject }) {
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
    ${gallery.map((item, position) => html`<${GalleryTile} key=${item.image} item=${item} state=${states[position]} chosen=${position === picked} stop=${position === stop} subject=${subject} />`)}
  </div>`;
}

/** @param {{item: GalleryItem, state: string, chosen: boolean, stop: boolean, subject: Subject}} props */
function GalleryTile({ item, state, chosen, stop, subject }) {
  const { image, label, answer } = item;
  const name = t(`digits.tile_${state}`, { image, label, answer });
  return html`<button type="button" class=${`digits-sample ${state.replace("now_", "")}`} tabindex=${stop ? 0 : -1} aria-pressed=${chosen} aria-label=${name} title=${name} onClick=${() => subject.pick(image)}>
    <${InkPicture} pixels=${item.pixels} />
    <span aria-hidden="true">${answer < 0 ? "–" : html`<i>${answer === label ? "✓" : "✗"}</i> ${answer}`}</span>
  </button>`;
}

/** The picture that is looked at: what it is, and how sure the network is. @param {{view: View, drawn: boolean}} props */
function Chosen({ view, drawn }) {
  const item = view.gallery[view.picked];
  const text = item
    ? t("digits.chosen", { image: item.image, label: item.label })
    : t(drawn ? "digits.chosen_drawing" : "digits.chosen_other");
  return html`<div class="digits-chosen">
    <p class="muted">${text}</p>
    <${Probabilities} upright probabilities=${view.output.activations} label=${t("digits.probabilities")} />
  </div>`;
}
