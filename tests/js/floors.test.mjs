// Who may know whom among the page's modules: lib → core → ui → page → kinds, each only those before it.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, posix } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const FLOORS = ["lib", "core", "ui", "page", "kinds"];
const root = fileURLToPath(new URL("../../", import.meta.url));
const js = `${root}static/js/`;
const filesIn = (folder, end) =>
  readdirSync(folder, { recursive: true })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(end) && statSync(folder + name).isFile());

/** Addresses that a module's code imports; what only a comment names (a type) never runs. */
function imports(source) {
  const code = source.replace(/\/\*.*?\*\//gs, "").replace(/^\s*\/\/.*$/gm, "");
  const found = code.matchAll(
    /^(?:import|export)\b[^;]*?from\s*"([^"]+)"|^import\s*"([^"]+)"|\bimport\(\s*([^)]*)\)/gms,
  );
  return [...found].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic);
}

/** Modules of static/js with what they import from there. */
const modules = filesIn(js, ".js").map((name) => {
  const found = imports(readFileSync(js + name, "utf8")).filter((address) => address.startsWith("."));
  const inside = found.map((address) => posix.join(dirname(name), address)).filter((path) => !path.startsWith(".."));
  return { name, imports: inside };
});
const floor = (name) => name.split("/")[0];

test("the reader of imports sees every kind, and no types", () => {
  const source = `import a from "./a.js";\nimport {\n  b,\n} from "../b.js";\nimport "./c.js";\nexport { d } from "./d.js";
    const e = await import("./e.js");\n/** @typedef {import("./f.js").F} F */\n// import "./g.js"\nimport("./" + name);`;
  assert.deepEqual(imports(source), ["./a.js", "../b.js", "./c.js", "./d.js", '"./e.js"', '"./" + name']);
});

test("every module has a floor, main.js alone stands outside", () => {
  const strangers = modules.map(({ name }) => name).filter((name) => !FLOORS.includes(floor(name)));
  assert.deepEqual(strangers, ["main.js"]);
});

test("a module knows only its own floor and those before it", () => {
  const below = modules.flatMap(({ name, imports: found }) =>
    found
      .filter((path) => FLOORS.indexOf(floor(path)) > FLOORS.indexOf(floor(name)) && name !== "main.js")
      .map((path) => `${name} → ${path}`),
  );
  assert.deepEqual(below, []);
});

test("kinds are loaded by the address that the server tells; none knows another", () => {
  const known = modules.flatMap(({ name, imports: found }) =>
    found
      .filter(
        (path) => floor(path) === "kinds" && path.split("/")[1] !== (floor(name) === "kinds" && name.split("/")[1]),
      )
      .map((path) => `${name} → ${path}`),
  );
  assert.deepEqual(known, []);
  const loading = modules.filter(({ name }) => /\bimport\(\s*[^"'`)]/.test(codeOf(name))).map(({ name }) => name);
  assert.deepEqual(loading, ["core/kinds.js"]);
});

/** A module without its comments. @param {string} name */
function codeOf(name) {
  return readFileSync(js + name, "utf8").replace(/\/\*.*?\*\//gs, "");
}

test("tests lie where that lies which they test", () => {
  const lost = filesIn(`${root}tests/js/`, ".test.mjs").filter(
    (name) => dirname(name) !== "." && !existsSync(js + dirname(name)),
  );
  assert.deepEqual(lost, []);
});

test("a lens is known to nobody but its kind's record", () => {
  const lens = (path) => /^kinds\/\w+\/lenses\/\w+\//.exec(path)?.[0];
  const known = modules.flatMap(({ name, imports: found }) =>
    found.filter((path) => lens(path) && lens(path) !== lens(name)).map((path) => `${name} → ${path}`),
  );
  assert.deepEqual(known, []);
});

test("only a kind's own folder says its name and its sentences", () => {
  const kinds = readdirSync(`${js}kinds`);
  const keys = filesIn(`${js}kinds/`, "texts/en.json").flatMap((name) =>
    Object.keys(JSON.parse(readFileSync(`${js}kinds/${name}`, "utf8"))),
  );
  assert.ok(kinds.length >= 2 && keys.length > 100);
  const own = new Set([...kinds, ...keys]);
  const said = modules
    .filter(({ name }) => floor(name) !== "kinds")
    .flatMap(({ name }) => [...codeOf(name).matchAll(/["'`]([\w.]+)["'`]/g)].map(([, word]) => `${name}: ${word}`))
    .filter((found) => own.has(found.split(": ")[1]));
  assert.deepEqual(said, []);
});
