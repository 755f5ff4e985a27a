// Toy: choose the wave, ask the network what it says at x.
import { useEffect, useState } from "../../../vendor/preact/hooks.js";
import { fields } from "../../core/describe.js";
import { t } from "../../core/i18n.js";
import { html } from "../../lib/html.js";
import { LossPanel } from "../../page/loss.js";
import { Panel, Slider } from "../../ui/controls.js";

export function Page({ run }) {
  const [answer, setAnswer] = useState([0, 0]);
  useEffect(() => run.onFrame(({ sections }) => setAnswer([...sections.answer.data])), [run]);
  const { min, max } = fields(run.kind).waves;
  const [x, y] = answer.map((number) => number.toFixed(2));
  return html`<${Panel} title=${t("toy.title")}>
      <${Slider}
        name="waves"
        label=${t("toy.waves")}
        min=${min}
        max=${max}
        step=${0.5}
        value=${run.settings.value.waves}
        onInput=${(waves) => run.set({ waves })}
      />
      <${Slider}
        name="x"
        label=${t("toy.ask")}
        min=${-1}
        max=${1}
        step=${0.25}
        value=${Number(x)}
        onInput=${(value) => run.send("ask", { x: value })}
      />
      <p data-testid="answer">${t("toy.answer", { x, y })}</p>
    <//>
    <${LossPanel} run=${run} />`;
}
