// Dead units: one sentence.
import { useEffect, useState } from "../../../../../vendor/preact/hooks.js";
import { t } from "../../../../core/i18n.js";
import { html } from "../../../../lib/html.js";
import { Panel } from "../../../../ui/controls.js";

export function Stage({ run }) {
  const [dead, setDead] = useState([]);
  useEffect(() => run.onFrame(({ sections }) => sections.dead && setDead([...sections.dead.data])), [run]);
  const values = { count: dead.filter((one) => one === 1).length, all: dead.length };
  return html`<${Panel} title=${t("dead.title")}><p data-testid="dead">${t("dead.sentence", values)}</p><//>`;
}
