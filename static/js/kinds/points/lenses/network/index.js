// The network of 2D points: inputs, hidden layers and output, drawn from the frame so that picture and weights agree.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../../../../vendor/preact/hooks.js";
import { html } from "../../../../lib/html.js";
import { fields } from "../../../../core/describe.js";
import { t } from "../../../../core/i18n.js";
import { isUsual } from "../../../../lib/layers.js";
import { Panel } from "../../../../ui/controls.js";
import { useMore } from "../../../../ui/overflow.js";
import { INPUT_NAMES } from "../../look.js";
import { unitOffsets } from "../../units.js";
import { LayerHeader } from "../../../../page/layerheader.js";
import { Formula } from "./formula.js";
import { InputToggles, inputsBelow } from "./inputs.js";
import { layoutNetwork, leastHeight } from "./layout.js";
import { MOST_LINKS } from "./linklayer.js";
import { NetworkPainter } from "./painter.js";
import { moveFocus, pointerOnLinks } from "./pointer.js";
import { WeightEditor, WeightTip } from "./weight.js";

/**
 * @typedef {import("../../../../core/run.js").Run} Run
 * @typedef {import("../../look.js").Look} Look
 * @typedef {import("./layout.js").Layout} Layout
 */

const HEADER_HEIGHT = 56;
const TOUCH_HEADER_HEIGHT = 92;
/** Two buttons of 44 pixels, and room between the layers. */
const TOUCH_COLUMN = 100;

export const help = ["help.planes", "help.lines", "help.hover", "help.weights"];
export const keys = [
  ["↑ ↓ ← →", "help.neurons"],
  ["Enter", "help.pin"],
  ["Esc", "help.escape"],
];

/** What the big plane shows, where it isn't the output. @param {Run} run @param {Look} look @returns {string | null} */
export function sentence(run, look) {
  const neuron = look.neuron.value;
  if (!neuron || neuron.layer === look.sizes.value.length - 1) return null;
  if (neuron.layer > 0) return t("output.neuron", { layer: neuron.layer, unit: neuron.unit + 1 });
  return t("output.input", { name: INPUT_NAMES[run.settings.value.inputs[neuron.unit]] ?? "" });
}

/** @param {{run: Run, look: Look}} props */
export function Stage({ run, look }) {
  const frame = useRef(/** @type {HTMLDivElement | null} */ (null));
  const room = useRoom(frame);
  const more = useMore(frame);
  const sizes = look.sizes.value;
  const inputs = run.settings.value.inputs;
  const layout = useMemo(
    () =>
      layoutNetwork(sizes.length > 0 ? sizes : [2, 1], {
        width: room.width,
        height: Math.max(200, room.height - headerHeight(room)),
        left: room.touch ? 50 : sizes.length > 8 ? 50 : 60,
        header: room.touch ? TOUCH_COLUMN : leastColumn(room.width, sizes.length),
        touch: room.touch,
        below: inputsBelow(sizes[0] ?? 2, room.touch),
      }),
    [sizes, room],
  );
  const height = layout.height + headerHeight(room);
  const below = inputsBelow(sizes[0] ?? 2, room.touch);
  // Only more neurons than fit make the panel grow.
  const least = leastHeight(sizes.length > 0 ? sizes : [2, 1], below, room.touch) + headerHeight(room);
  return html`<${Panel} title=${t("network.title")} class="network">
    <div class=${`network-frame ${more}`} ref=${frame} style=${{ "--least": `${least}px` }}>
      <div class="network-stage" style=${{ width: `${layout.width}px`, height: `${height}px` }}>
        <${Headers} run=${run} layout=${layout} sizes=${sizes} touch=${room.touch} />
        <div class="network-field" style=${{ top: `${headerHeight(room)}px`, height: `${layout.height}px` }}>
          ${
            sizes.length > 0 &&
            html`<${Field}
            run=${run}
            look=${look}
            layout=${layout}
            sizes=${sizes}
            inputs=${inputs}
            touch=${room.touch}
          />`
          }
        </div>
      </div>
    </div>
    <${Caption} run=${run} look=${look} />
  <//>`;
}

/** @param {{touch: boolean}} room */
function headerHeight({ touch }) {
  return touch ? TOUCH_HEADER_HEIGHT : HEADER_HEIGHT;
}

/** Least distance of two columns: names and buttons must not overlap. @param {number} width @param {number} columns */
function leastColumn(width, columns) {
  return width / columns > 128 ? 124 : 68;
}

/** The size of the frame, and whether it is used by finger. @param {{current: HTMLElement | null}} frame */
function useRoom(frame) {
  const [room, setRoom] = useState({ width: 700, height: 380, touch: false });
  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const phone = matchMedia("(max-width: 640px), (pointer: coarse)");
    const measure = () => {
      const next = { width: element.clientWidth, height: element.clientHeight, touch: phone.matches };
      setRoom((old) =>
        old.width === next.width && old.height === next.height && old.touch === next.touch ? old : next,
      );
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return room;
}

/** @param {{run: Run, layout: Layout, sizes: number[], touch: boolean}} props */
function Headers({ run, layout, sizes, touch }) {
  const last = sizes.length - 1;
  const distance = layout.x.length > 1 ? layout.x[1] - layout.x[0] : 200;
  const compact = distance < 124;
  return html`<div class="network-headers ${touch ? "touch" : ""}" style=${{ "--distance": `${distance}px` }}>
    ${sizes.map(
      (_, layer) => html`<div
        class="network-header"
        key=${layer === last ? "output" : layer}
        style=${{ left: `${layout.x[layer]}px` }}
      >
        ${layer === 0 && html`<h3>${t("network.inputs")}</h3>`}
        ${layer > 0 && layer < last && html`<${LayerHeader} run=${run} index=${layer - 1} compact=${compact} />`}
        ${layer === last && layer > 0 && html`<h3>${t("network.output")}</h3>`}
      </div>`,
    )}
  </div>`;
}

/** @param {{run: Run, look: Look, layout: Layout, sizes: number[], inputs: string[], touch: boolean}} props */
function Field({ run, look, layout, sizes, inputs, touch }) {
  const field = useRef(/** @type {HTMLDivElement | null} */ (null));
  const svg = useRef(/** @type {SVGSVGElement | null} */ (null));
  useLayoutEffect(() => {
    if (!field.current || !svg.current) return undefined;
    const painter = new NetworkPainter(field.current, svg.current, run, look, layout, sizes);
    const pointer = pointerOnLinks(field.current, painter, look, touch);
    return () => {
      pointer();
      painter.end();
    };
  }, [run, look, layout, sizes, touch]);
  return html`<div
    class="wires"
    ref=${field}
    data-keys
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => moveFocus(event, look)}
  >
    <svg ref=${svg} class="links" width=${layout.width} height=${layout.height} aria-hidden="true"></svg>
    <${InputToggles} run=${run} layout=${layout} inputs=${inputs} touch=${touch} />
    <${Neurons} look=${look} layout=${layout} sizes=${sizes} inputs=${inputs} />
    <${WeightTip} run=${run} look=${look} /><${WeightEditor} run=${run} look=${look} />
  </div>`;
}

/** @param {{look: Look, layout: Layout, sizes: number[], inputs: string[]}} props */
function Neurons({ look, layout, sizes, inputs }) {
  const offsets = unitOffsets(sizes);
  const half = layout.tile / 2;
  return html`<div class="neurons" role="group" aria-label=${t("network.neurons_name")}>
    ${sizes.flatMap((size, layer) =>
      Array.from({ length: size }, (_, unit) => {
        const place = { left: `${layout.x[layer] - half}px`, top: `${layout.y[layer][unit] - half}px` };
        return html`<${NeuronTile}
          key=${`${layer === sizes.length - 1 ? "out" : layer}-${unit}`}
          look=${look}
          layer=${layer}
          unit=${unit}
          index=${offsets[layer] + unit}
          last=${layer === sizes.length - 1}
          inputName=${layer === 0 ? (INPUT_NAMES[inputs[unit]] ?? "") : ""}
          place=${place}
          tile=${layout.tile}
        />`;
      }),
    )}
  </div>`;
}

/** @param {{look: Look, layer: number, unit: number, index: number, last: boolean, inputName: string, place: object, tile: number}} props */
function NeuronTile({ look, layer, unit, index, last, inputName, place, tile }) {
  const neuron = { layer, unit };
  const pinned = look.keeps(neuron);
  const name = last
    ? t("network.output")
    : layer === 0
      ? t("network.input_n", { name: inputName })
      : t("network.neuron_n", { layer, n: unit + 1 });
  return html`<button type="button" class="neuron ${tile < 24 ? "small" : ""}" data-neuron=${`${layer}-${unit}`} data-index=${index} aria-label=${name} aria-pressed=${pinned} tabindex=${layer === 0 && unit === 0 ? 0 : -1}
    style=${{ ...place, width: `${tile}px`, height: `${tile}px` }}
    onPointerEnter=${(/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && look.hover(neuron)}
    onPointerLeave=${(/** @type {PointerEvent} */ event) => event.pointerType === "mouse" && look.hover(null)}
    onFocus=${(/** @type {any} */ event) => event.currentTarget.matches(":focus-visible") && look.hover(neuron)}
    onBlur=${() => look.hover(null)}
    onClick=${() => look.keep(neuron)}>
    <canvas width="30" height="30" aria-hidden="true"></canvas>
  </button>`;
}

/** Only what reads its inputs through one sum is one line of formula. @param {Run} run @param {number} layer */
function hasFormula(run, layer) {
  const hidden = run.settings.value.layers[layer - 1];
  return hidden === undefined || isUsual(fields(run.kind).layers, hidden);
}

/** Below the network: how to read the lines, or the formula of the neuron that is looked at. @param {{run: Run, look: Look}} props */
function Caption({ run, look }) {
  const sizes = look.sizes.value;
  const neuron = look.neuron.value;
  const total = sizes.slice(1).reduce((sum, size, index) => sum + size * sizes[index], 0);
  useEffect(() => {
    const unpin = (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape" && !event.defaultPrevented) look.keep(null);
    };
    addEventListener("keydown", unpin);
    return () => removeEventListener("keydown", unpin);
  }, [look]);
  return html`<div class="network-caption">
    ${
      neuron && neuron.layer > 0 && hasFormula(run, neuron.layer)
        ? html`<${Formula} run=${run} look=${look} neuron=${neuron} />`
        : html`<p>${t("network.caption")} ${total > MOST_LINKS ? t("network.strongest", { shown: MOST_LINKS, total }) : ""}</p>`
    }
  </div>`;
}
