import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import { explainProblem } from "../../static/js/lib/explain.js";
import { fill } from "../../static/js/lib/text.js";

const root = new URL("../..", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const within = (folder) => readdirSync(new URL(folder, root), { recursive: true }).map((name) => `${folder}${name}`);

/** Folders with texts: what all pages say, and what only a kind or a lens says. Each has a file a language. */
const folders = ["static/i18n", ...within("static/js/").filter((name) => name.endsWith("/texts"))];
const languages = readdirSync(new URL("static/i18n", root)).map((name) => name.replace(".json", ""));
const files = folders.map((folder) =>
  Object.fromEntries(languages.map((language) => [language, JSON.parse(read(`${folder}/${language}.json`))])),
);
const [en, zh] = ["en", "zh"].map((language) => Object.assign({}, ...files.map((texts) => texts[language])));

const sources = [
  ...within("static/js/").filter((name) => name.endsWith(".js")),
  ...within("templates/").filter((name) => name.endsWith(".html")),
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

test("every folder has the same keys in all languages, and no key is given twice", () => {
  assert.ok(folders.length >= 5 && languages.includes("en") && languages.includes("zh"));
  for (const [index, texts] of files.entries())
    for (const language of languages)
      assert.deepEqual(Object.keys(texts[language]).sort(), Object.keys(texts.en).sort(), folders[index]);
  const keys = files.flatMap((texts) => Object.keys(texts.en));
  assert.deepEqual(
    keys.filter((key, index) => keys.indexOf(key) !== index),
    [],
  );
});

test("a sentence takes the same values in all languages", () => {
  const slots = (sentence) => new Set([...sentence.matchAll(/\{(\w+)\}/g)].map((match) => match[1]));
  for (const texts of files)
    for (const language of languages)
      for (const key of Object.keys(texts.en)) assert.deepEqual(slots(texts[language][key]), slots(texts.en[key]), key);
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

test("what a part of the page says stands in its own folder, in one around it, or with what all pages say", () => {
  const homes = new Map();
  for (const [index, folder] of folders.entries())
    for (const key of Object.keys(files[index].en)) homes.set(key, folder.replace(/texts$/, ""));
  const strays = sources.flatMap((path) =>
    [...read(path).matchAll(/["'`]([a-z]\w*(?:\.\w+)+)["'`]/g)]
      .filter(([, key]) => homes.has(key) && homes.get(key) !== "static/i18n" && !path.startsWith(homes.get(key)))
      .map(([, key]) => `${path}: ${key}`),
  );
  assert.deepEqual(strays, []);
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

test("every key is used", () => {
  const server = within("webapp/").filter((name) => name.endsWith(".py"));
  const everything = [text, ...server.map(read)].join("\n");
  const whole = new Set([...everything.matchAll(/["'`]([a-z]\w*(?:\.\w+)+)["'`]/g)].map((match) => match[1]));
  const starts = [...text.matchAll(/`([a-z]\w*\.\w*)\$\{/g)].map((match) => match[1]);
  // `t(`${name}.${choice}`)` of the settings: their choices are the server's
  const chosen = ["activation.", "optimizer.", "regularization.", "speed.", "setting.", "data."];
  const ends = new Set([...text.matchAll(/`\$\{[^}]*\}(\.\w+)`/g)].map((match) => match[1]));
  const used = (key) =>
    whole.has(key) ||
    [...starts, ...chosen].some((start) => key.startsWith(start)) ||
    [...ends, ".one"].some((end) => key.endsWith(end) && used(key.slice(0, -end.length)));
  assert.deepEqual(
    Object.keys(en).filter((key) => !used(key)),
    [],
  );
});

test("no sentence hands on the words of a library", () => {
  const through = [...Object.entries(en), ...Object.entries(zh)].filter(([, sentence]) =>
    sentence.includes("{message}"),
  );
  assert.deepEqual(through, []);
  const problem = {
    code: "bad_value",
    message: "run: Expected `str`, got `null`.",
    values: { where: "run", detail: "Expected `str`, got `null`" },
  };
  for (const words of [en, zh]) {
    const sentence = explainProblem(
      problem,
      (key, values = {}) => fill(words[key], values),
      (key) => key in words,
    );
    assert.doesNotMatch(sentence, /Expected|null/);
    assert.match(sentence, /run/);
  }
});
