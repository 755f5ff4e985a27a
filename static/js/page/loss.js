// The curve of training and unseen loss (or accuracy) over the epochs.
import { useEffect, useRef, useState } from "../../vendor/preact/hooks.js";
import { untracked } from "../../vendor/preact-signals/signals.js";
import uPlot from "../../vendor/uplot/uplot.js";
import { html } from "../lib/html.js";
import { language, locale, t } from "../core/i18n.js";
import { connection } from "../core/stream.js";
import { palette } from "../core/theme.js";
import { epochMark, formatNumber, percent } from "../lib/text.js";
import { Segmented } from "../ui/controls.js";

/** @typedef {import("../core/run.js").Run} Run */

/** Steps between two marks of the epochs: 1, 2, 5, 10, … */
const WHOLE = Array.from({ length: 11 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();

/** @param {{run: Run}} props */
export function LossPanel({ run }) {
  const [shown, setShown] = useState("loss");
  const metrics = run.metrics.value;
  const loss = shown === "loss";
  const text = (/** @type {number | undefined} */ value) =>
    value === undefined || Number.isNaN(value) ? "–" : loss ? formatNumber(value, 3) : `${percent(value)} %`;
  return html`<section class="panel loss" aria-label=${t("loss.name")}>
    <div class="loss-side">
      <${Segmented}
        label=${t("loss.which")}
        value=${shown}
        options=${["loss", "accuracy"].map((value) => ({ value, label: t(`loss.${value}`) }))}
        onChange=${setShown}
      />
      <dl>
        <div class="thin"><dt>${t("loss.training")}</dt><dd data-testid="train">${text(loss ? metrics?.trainLoss : metrics?.trainAccuracy)}</dd></div>
        <div class="bold"><dt>${t("loss.unseen")}</dt><dd data-testid="unseen">${text(loss ? metrics?.unseenLoss : metrics?.unseenAccuracy)}</dd></div>
      </dl>
    </div>
    <${Plot} run=${run} loss=${loss} />
    <${Live} run=${run} />
  </section>`;
}

/** Whether what is seen is what happens now; red only while the network trains. @param {{run: Run}} props */
function Live({ run }) {
  const { playing, reason } = run.status.value;
  const state = connection.value;
  const resting = reason === "diverged" ? "stopped" : "paused";
  const shown = state === "live" && !playing ? resting : state;
  return html`<span class="live-sign ${shown}" role="status"
    ><span class="dot" />${t(shown === resting ? `live.${resting}` : `connection.${state}`)}</span
  >`;
}

/** @param {{run: Run, loss: boolean}} props */
function Plot({ run, loss }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [colours, words] = [palette.value, language.value];
  useEffect(() => {
    const box = place.current;
    if (!box) return;
    const size = () => ({ width: Math.max(120, box.clientWidth), height: Math.max(90, box.clientHeight) });
    const data = () => plotData(run, loss);
    const plot = untracked(() => new uPlot(plotOptions(colours, loss, size(), fontSize(box)), data(), box));
    const observer = new ResizeObserver(() => plot.setSize(size()));
    observer.observe(box);
    const end = run.onFrame(() => plot.setData(data()));
    return () => {
      end();
      observer.disconnect();
      plot.destroy();
    };
  }, [run, loss, colours, words]);
  return html`<div class="plot" ref=${place} role="img" aria-label=${t(loss ? "loss.plot" : "loss.plot_accuracy")}></div>`;
}

/** The labels are a little smaller than the text around. @param {HTMLElement} box */
function fontSize(box) {
  return Math.round(parseFloat(getComputedStyle(box).fontSize) - 2);
}

/** @param {Run} run @param {boolean} loss @returns {uPlot.AlignedData} */
function plotData({ history }, loss) {
  const [epochs, trainLoss, unseenLoss, trainAccuracy, unseenAccuracy] = history.columns;
  const columns = loss ? [epochs, trainLoss, unseenLoss] : [epochs, trainAccuracy, unseenAccuracy];
  return /** @type {uPlot.AlignedData} */ (columns);
}

/**
 * @param {typeof palette.value} colours
 * @param {boolean} loss
 * @param {{width: number, height: number}} size
 * @param {number} text Height of the labels' type, in pixels.
 * @returns {uPlot.Options}
 */
function plotOptions(colours, loss, size, text) {
  const font = `${text}px system-ui, "Noto Sans", sans-serif`;
  const axis = { stroke: colours.muted, font, ticks: { show: false }, gap: 4 };
  return {
    ...size,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    padding: [8, 16, 0, 0],
    scales: {
      x: { time: false, range: (_, __, max) => [0, Math.max(max ?? 0, 10)] },
      y: { range: (_, __, max) => [0, loss ? Math.max((max ?? 0) * 1.08, 0.1) : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: text + 14,
        incrs: WHOLE,
        values: (_, splits) => splits.map((epoch) => epochMark(epoch, locale.peek())),
        label: t("loss.epochs"),
        labelSize: text + 4,
        labelGap: -2,
        labelFont: font,
      },
      {
        ...axis,
        grid: { stroke: colours.line, width: 1 },
        size: 4 * text,
        space: 2 * text + 2,
        values: (_, splits) =>
          splits.map((value) => (loss ? String(Number(value.toPrecision(4))) : `${Math.round(value * 100)} %`)),
      },
    ],
    series: [
      {},
      { label: t("loss.training"), stroke: colours.muted, width: 1, points: { show: false } },
      { label: t("loss.unseen"), stroke: colours.ink, width: 2, points: { show: false } },
    ],
    hooks: { draw: [(plot) => drawNow(plot, colours)] },
  };
}

/** The dot at the end of the curve: this is now. @param {uPlot} plot @param {typeof palette.value} colours */
function drawNow(plot, colours) {
  const [epochs, , unseen] = plot.data;
  const last = epochs.length - 1;
  const value = unseen?.[last];
  if (last < 0 || value === null || value === undefined) return;
  const [x, y] = [plot.valToPos(epochs[last], "x", true), plot.valToPos(value, "y", true)];
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colours.ink;
  ctx.strokeStyle = colours.panel;
  ctx.lineWidth = 2 * ratio;
  ctx.beginPath();
  ctx.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
  ctx.fill();
  ctx.stroke();
  ctx.restore();
}
