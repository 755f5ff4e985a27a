import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import test from "node:test";

const root = new URL("../..", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const [en, zh] = ["en", "zh"].map((language) => JSON.parse(read(`static/i18n/${language}.json`)));

const sources = [
  ...readdirSync(new URL("static/js/", root), { recursive: true })
    .filter((name) => name.endsWith(".js"))
    .map((name) => `static/js/${name}`),
  ...readdirSync(new URL("templates/", root)).map((name) => `templates/${name}`),
];
const text = sources.map(read).join("\n");

/** Keys given to t() and notify() as they stand, and the fixed beginnings of those that are put together. */
const calls = [...text.matchAll(/\b(?:t|notify)\(\s*(["'`])([a-z][a-z0-9_]*\.[^"'`]*)\1/g)].map((match) => match[2]);
const fixed = new Set(calls.filter((key) => !key.includes("${")));
const families = new Set(calls.filter((key) => key.includes("${")).map((key) => key.split("${")[0]));

/** Words that the server's settings bring: fields and choices, those of all kinds and each kind's own. */
const kinds = readdirSync(new URL("webapp/kinds/", root), { withFileTypes: true }).filter((entry) =>
  entry.isDirectory(),
);
const homes = kinds
  .map(({ name }) => `webapp/kinds/${name}/settings.py`)
  .filter((path) => existsSync(new URL(path, root)));
const declared = ["webapp/contract/settings.py", "webapp/training/settings.py", ...homes].map(read).join("\n\n");
const choices = (name) =>
  [...declared.match(new RegExp(`^${name} = Literal\\[([^\\]]*)\\]`, "m"))[1].matchAll(/"(\w+)"/g)].map(
    (match) => match[1],
  );

test("both languages have the same keys", () => {
  assert.deepEqual(Object.keys(en).sort(), Object.keys(zh).sort());
});

test("a sentence takes the same values in both languages", () => {
  const slots = (sentence) => [...sentence.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
  for (const key of Object.keys(en)) {
    const [english, chinese] = [slots(en[key]), slots(zh[key])];
    assert.deepEqual(new Set(english), new Set(chinese), key);
  }
});

test("nothing is left empty, and Chinese is Chinese", () => {
  for (const [key, value] of [...Object.entries(en), ...Object.entries(zh)]) assert.notEqual(value.trim(), "", key);
  const chinese = Object.values(zh).filter((value) => /[\u4e00-\u9fff]/.test(value)).length;
  assert.ok(chinese > Object.keys(zh).length * 0.85);
});

test("every key that the page uses is in the catalogue", () => {
  assert.ok(fixed.size > 50, `only ${fixed.size} keys found: the pattern above no longer fits the code`);
  assert.deepEqual(
    [...fixed].filter((key) => !(key in en)),
    [],
  );
});

test("every family of keys that are put together has members", () => {
  const keys = Object.keys(en);
  assert.deepEqual(
    [...families].filter((start) => !keys.some((key) => key.startsWith(start))),
    [],
  );
});

test("every choice and every setting of the server has a name", () => {
  const names = {
    Activation: "activation",
    Optimizer: "optimizer",
    Regularization: "regularization",
    Speed: "speed",
    PointsData: "data",
  };
  const wanted = Object.entries(names).flatMap(([literal, family]) =>
    choices(literal).map((choice) => `${family}.${choice}`),
  );
  const settings = [...declared.matchAll(/^class \w*Settings\(.*?\n(?=\n\n)/gms)].map((match) => match[0]).join("\n");
  const fields = [...settings.matchAll(/^ {4}(\w+): (?!ClassVar)/gm)].map((match) => `setting.${match[1]}`);
  assert.ok(fields.length > 12 && wanted.length > 18);
  assert.deepEqual(
    [...wanted, ...fields].filter((key) => !(key in en)),
    [],
  );
});
