// When training gets nowhere for a while: what would help, and a button that does it.
import { useEffect, useState } from "../../../vendor/preact/hooks.js";
import { html } from "../../lib/html.js";
import { fields } from "../../core/describe.js";
import { t } from "../../core/i18n.js";
import { Plateau, patience, suggestion } from "./plateau.js";
import { newSeed } from "../../lib/seed.js";
import { Button } from "../../ui/controls.js";
import { Banner } from "../../ui/messages.js";

const GOOD_ENOUGH = 0.95;

/** @param {{run: import("../../core/run.js").Run}} props */
export function Hint({ run }) {
  const [stuck, setStuck] = useState(false);
  useEffect(() => {
    const plateau = new Plateau();
    const clear = () => {
      plateau.clear();
      setStuck(false);
    };
    const ends = [
      run.settings.subscribe(clear),
      // Each frame counts, also one that brings the same numbers again: a dead network sends no others.
      run.onFrame((_, now) => {
        const metrics = run.metrics.peek();
        if (!metrics || !run.status.peek().playing) return;
        if (metrics.trainAccuracy >= GOOD_ENOUGH) clear();
        else if (plateau.add(metrics.trainLoss, now, patience(run.settings.peek()))) setStuck(true);
      }),
      run.status.subscribe(({ playing, reason }) => {
        if (!playing) plateau.clear();
        if (reason === "reset") setStuck(false);
      }),
    ];
    return () => ends.forEach((end) => end());
  }, [run]);
  const { layers, weight_seed: seed } = fields(run.kind);
  const help = stuck ? suggestion(run.settings.value, layers, () => newSeed(seed.max)) : null;
  if (!help) return null;
  return html`<${Banner}
    kind="hint"
    onClose=${() => setStuck(false)}
    action=${html`<${Button} onClick=${() => run.set(help.patch)}>${t(`${help.key}.do`)}<//>`}
  >
    ${help.key === "hint.jumps" ? "" : `${t("hint.stuck")} `}${t(help.key)}
  <//>`;
}
