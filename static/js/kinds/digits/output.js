/** The panel on the right: how well it reads, test digits with the network's answers, what it confuses. */
import { useRef, useState } from "../../../vendor/preact/hooks.js";
import { t } from "../../core/i18n.js";
import { whenChanged } from "../../lib/changed.js";
import { html } from "../../lib/html.js";
import { formatNumber } from "../../lib/text.js";
import { Panel, Segmented } from "../../ui/controls.js";
import { Confusion } from "./confusion.js";
import { testedSinceStart } from "./model.js";
import { inkPainter, textPainter, usePainter } from "./painters.js";
import { Picture, Probabilities, moveTo } from "./pictures.js";

/**
 * @typedef {import("../../core/run.js").Run} Run
 * @typedef {import("./model.js").View} View
 * @typedef {import("./model.js").Shape} Shape
 * @typedef {import("./model.js").GalleryItem} GalleryItem
 * @typedef {import("./subject.js").Subject} Subject
 */

/** @param {{run: Run, shape: Shape | null, subject: Subject}} props */
export function OutputPanel({ run, shape, subject }) {
  const [table, setTable] = useState(false);
  const { gallery } = run.settings.value;
  /** @param {string} value */
  function choose(value) {
    setTable(value === "confusion");
    if (value !== "confusion") run.set({ gallery: value });
  }
  const options = ["sample", "mistakes", "confusion"].map((value) => ({ value, label: t(`digits.gallery_${value}`) }));
  return html`<${Panel} title=${t("digits.output_panel")} class="digits-output">
    <p class="digits-sentence" data-testid="sentence">${shape ? html`<${Sentence} run=${run} />` : t("digits.sentence_start")}</p>
    <${Segmented} label=${t("digits.gallery")} value=${table ? "confusion" : gallery} options=${options} onChange=${choose} />
    ${shape && (table ? html`<${Confusion} run=${run} overflowed=${shape.overflowed} />` : html`<${Gallery} run=${run} shape=${shape} subject=${subject} mistakes=${gallery === "mistakes"} />`)}
  <//>`;
}

/** @param {{run: Run}} props */
function Sentence({ run }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  usePainter(run, place, (element) => {
    const text = textPainter(element);
    return (view) => text(sentence(run, view));
  });
  return html`<span ref=${place}></span>`;
}

/** @param {Run} run @param {View} view */
function sentence(run, view) {
  const accuracy = run.metrics.value?.unseenAccuracy ?? NaN;
  if (view.overflowed) return t("digits.sentence_overflowed");
  if (run.steps.value === 0) return t("digits.sentence_start");
  const tested = testedSinceStart(run.history.columns[0], run.status.value.playing);
  if (!tested || !Number.isFinite(accuracy)) return t("digits.sentence_waiting");
  return t("digits.sentence", { share: formatNumber(100 * accuracy, 1) });
}

/** @param {{run: Run, shape: Shape, subject: Subject, mistakes: boolean}} props */
function Gallery({ run, shape, subject, mistakes }) {
  const { gallery, picked, overflowed, tested } = shape;
  if (gallery.length === 0) {
    const key = !mistakes ? "digits.gallery_loading" : tested ? "digits.no_mistakes" : "digits.no_mistakes_yet";
    return html`<p class="digits-empty muted">${t(key)}</p>`;
  }
  return html`<${GalleryTiles} run=${run} gallery=${gallery} picked=${picked} mistakes=${mistakes} subject=${subject} />
    ${mistakes && !overflowed && html`<p class="digits-note">${t("digits.gallery_renewed")}</p>`}
    <${Chosen} run=${run} item=${gallery[picked]} drawn=${subject.strokes.value.length > 0} />`;
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

/** @param {{run: Run, gallery: Shape["gallery"], picked: number, mistakes: boolean, subject: Subject}} props */
function GalleryTiles({ run, gallery, picked, mistakes, subject }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  usePainter(
    run,
    place,
    (element) => {
      const tiles = [...element.children].map(samplePainter);
      return (view) => {
        // (A frame with other images comes shortly before their tiles.)
        for (const [position, paint] of tiles.entries()) {
          const item = view.gallery[position];
          if (item?.image === gallery[position].image) paint(item, tileState(item, mistakes, view.overflowed));
        }
      };
    },
    [gallery, mistakes],
  );
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
    ${gallery.map((item, position) => html`<${GalleryTile} key=${item.image} image=${item.image} chosen=${position === picked} stop=${position === stop} subject=${subject} />`)}
  </div>`;
}

/** @param {{image: number, chosen: boolean, stop: boolean, subject: Subject}} props */
function GalleryTile({ image, chosen, stop, subject }) {
  return html`<button type="button" class="digits-sample" tabindex=${stop ? 0 : -1} aria-pressed=${chosen} onClick=${() => subject.pick(image)}>
    <${Picture} />
    <span aria-hidden="true"></span>
  </button>`;
}

/** What a tile says of its image. @param {Element} tile As GalleryTile makes it. */
function samplePainter(tile) {
  const [canvas, words] = tile.children;
  const picture = inkPainter(/** @type {HTMLCanvasElement} */ (canvas));
  const mark = document.createElement("i");
  const answered = whenChanged(
    (
      /** @type {string} */ state,
      /** @type {string} */ name,
      /** @type {number} */ answer,
      /** @type {boolean} */ right,
    ) => {
      tile.className = `digits-sample ${state.replace("now_", "")}`;
      tile.setAttribute("aria-label", name);
      tile.setAttribute("title", name);
      mark.textContent = right ? "✓" : "✗";
      words.replaceChildren(...(answer < 0 ? ["–"] : [mark, " ", String(answer)]));
    },
  );
  return (/** @type {GalleryItem} */ { image, label, answer, pixels }, /** @type {string} */ state) => {
    picture(pixels);
    answered(state, t(`digits.tile_${state}`, { image, label, answer }), answer, answer === label);
  };
}

/** The picture that is looked at: what it is, and how sure the network is. @param {{run: Run, item: Shape["gallery"][number] | undefined, drawn: boolean}} props */
function Chosen({ run, item, drawn }) {
  const text = item ? t("digits.chosen", item) : t(drawn ? "digits.chosen_drawing" : "digits.chosen_other");
  return html`<div class="digits-chosen">
    <p class="muted">${text}</p>
    <${Probabilities} upright run=${run} label=${t("digits.probabilities")} />
  </div>`;
}
