// The connection to one run, with a server whose answers the test gives by hand.
import assert from "node:assert/strict";
import test from "node:test";
import { signal } from "../../../static/vendor/preact-signals/signals-core.js";
import { Link } from "../../../static/js/core/link.js";

const settled = () => new Promise((resolve) => setImmediate(resolve));
const refused = (code) => ({ ok: false, seq: 1, error: { code, message: code } });
const opened = (run, settings = {}) => ({ ok: true, seq: 1, run, settings });

/** A link on a wire; `answers` by type of command: a reply, a list of them (the last one stays), or a promise. */
function linked({ found = null, left = null, state = "live", answers = {} } = {}) {
  const told = { sent: [], opened: [], lost: 0, remembered: [] };
  const connection = signal(state);
  const replies = { open: opened("A"), ...answers };
  const command = (message) => {
    told.sent.push(message);
    const reply = replies[message.type] ?? { ok: true, seq: 1 };
    return Promise.resolve(Array.isArray(reply) ? (reply.length > 1 ? reply.shift() : reply[0]) : reply);
  };
  const visit = { found, left, remember: (run) => told.remembered.push(run) };
  const link = new Link("points", { command, connection }, visit, {
    wanted: () => ({ rate: 0.1 }),
    lens: () => ({}),
    opened: (...settings) => told.opened.push(settings),
    lost: () => (told.lost += 1),
  });
  const types = () => told.sent.map(({ type }) => type);
  return { link, connection, told, types, replies };
}

test("a page that is shown opens its run with the settings that it wants", async () => {
  const { link, told } = linked({ answers: { open: opened("A", { rate: 0.2 }) } });
  link.show();
  await settled();
  assert.deepEqual(told.sent, [{ type: "open", kind: "points", settings: { rate: 0.1 } }]);
  assert.deepEqual(told.opened, [[{ rate: 0.2 }, { rate: 0.1 }]]);
  assert.deepEqual([link.id, link.opened.value, told.remembered], ["A", true, ["A"]]);
});

test("a run of before is found again; one that is lost is opened anew, and that is told", async () => {
  const again = linked({ found: "B", answers: { open: opened("B") } });
  again.link.show();
  await settled();
  assert.deepEqual([again.told.sent[0].run, again.told.lost], ["B", 0]);
  const lost = linked({ found: "B", answers: { open: [refused("unknown_run"), opened("C")] } });
  lost.link.show();
  await settled();
  assert.deepEqual([lost.link.id, lost.told.lost, lost.told.sent[1].run], ["C", 1, undefined]);
});

test("a busy server is no reason to give up a run", async () => {
  const { link, told } = linked({ found: "B", answers: { open: refused("busy") } });
  link.show();
  await settled();
  assert.deepEqual([link.id, told.lost, link.problem.value.code], ["B", 0, "busy"]);
});

test("play opens a run that was refused, and never speaks of no run", async () => {
  const { link, told, types } = linked({
    answers: { open: [refused("too_many_runs"), refused("too_many_runs"), opened("A")] },
  });
  link.show();
  await settled();
  assert.equal(link.problem.value.code, "too_many_runs");
  const reply = await link.send("play");
  assert.equal(reply.error.code, "too_many_runs", "there is still no room");
  assert.deepEqual(types(), ["open", "open"]);
  assert.equal((await link.send("play")).ok, true, "another page was closed");
  assert.deepEqual(told.sent.at(-1), { type: "play", run: "A" });
  assert.equal(link.problem.value, null);
});

test("a changed setting tries again, too; a look or a stroke of the pen doesn't", async () => {
  const { link, types } = linked({ answers: { open: [refused("too_many_runs"), opened("A")] } });
  link.show();
  await settled();
  assert.equal((await link.send("look", { layer: 1 })).ok, false);
  assert.equal((await link.send("draw", { pixels: "" })).ok, false);
  assert.deepEqual(types(), ["open"]);
  link.knock();
  await settled();
  assert.deepEqual([types(), link.opened.value, link.problem.value], [["open", "open"], true, null]);
  link.knock();
  assert.equal(types().length, 2, "an open door needs no knock");
});

test("what is asked while the run is being opened waits for it", async () => {
  let answer;
  const { link, told, types } = linked({ answers: { open: new Promise((resolve) => (answer = resolve)) } });
  link.show();
  const played = link.send("play");
  await settled();
  assert.deepEqual(types(), ["open"]);
  answer(opened("A"));
  assert.equal((await played).ok, true);
  assert.deepEqual(told.sent.at(-1), { type: "play", run: "A" });
});

test("what is asked before the connection is up waits for it, but not for ever", async (t) => {
  const { link, connection, told } = linked({ state: "connecting" });
  link.show();
  const played = link.send("play");
  await settled();
  assert.equal(told.sent.length, 0);
  connection.value = "live";
  link.connected(true);
  assert.equal((await played).ok, true);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const off = linked({ state: "connecting", answers: { play: refused("not_connected") } });
  const later = off.link.send("play");
  await settled();
  t.mock.timers.tick(5000);
  assert.equal((await later).error.code, "not_connected");
  assert.equal(off.link.problem.value.code, "not_connected");
});

test("a connection that comes back opens the same run, whatever became of the last try", async () => {
  let late;
  const { link, replies, types, told } = linked({ answers: { open: new Promise((resolve) => (late = resolve)) } });
  link.show();
  link.connected(false);
  replies.open = opened("A");
  link.connected(true);
  await settled();
  assert.deepEqual([link.id, link.opened.value], ["A", true]);
  late(refused("timeout"));
  await settled();
  assert.deepEqual([types(), told.opened.length, link.problem.value], [["open", "open"], 1, null]);
});

test("an answer to an earlier try doesn't end the run that has been found again meanwhile", async () => {
  let late;
  const answers = { open: new Promise((resolve) => (late = resolve)) };
  const { link, replies, types } = linked({ found: "A", answers });
  link.show();
  link.connected(false);
  replies.open = opened("A");
  link.connected(true);
  late(opened("A"));
  await settled();
  assert.deepEqual([types(), link.opened.value], [["open", "open"], true]);
});

test("an answer that belongs to a run left meanwhile counts for nothing", async () => {
  let late;
  const { link, replies } = linked({ answers: { recover: new Promise((resolve) => (late = resolve)) } });
  link.show();
  await settled();
  const recovered = link.send("recover");
  await settled();
  replies.open = opened("B");
  await link.startAnew();
  late({ ok: true, seq: 1, settings: { rate: 0.01 } });
  assert.equal((await recovered).ok, false);
});

test("another address opens another run; the old one trains no further, nor does one that comes late", async () => {
  const { link, replies, told } = linked();
  link.show();
  await settled();
  let late;
  replies.open = new Promise((resolve) => (late = resolve));
  void link.startAnew();
  replies.open = opened("C");
  void link.startAnew();
  await settled();
  late(opened("B"));
  await settled();
  assert.equal(link.id, "C");
  const ended = told.sent.filter(({ type }) => type === "pause" || type === "close").map(({ run }) => run);
  assert.deepEqual([...new Set(ended)].sort(), ["A", "B"]);
});

test("a run that this tab left before is paused once the new one is there", async () => {
  const { link, told } = linked({ left: "Z" });
  link.show();
  await settled();
  assert.deepEqual(told.sent.slice(1), [
    { type: "pause", run: "Z" },
    { type: "close", run: "Z" },
  ]);
});

test("a page that is left while its run is being opened closes it", async () => {
  const { link, told, types } = linked();
  link.show();
  link.hide();
  await settled();
  assert.deepEqual([types(), link.opened.value, told.opened], [["open", "close"], false, []]);
});

test("a refusal is kept with what was sent until something works; a look that is missed is not", async () => {
  const { link, replies } = linked({ answers: { weight: refused("no_such_weight"), look: refused("busy") } });
  link.show();
  await settled();
  await link.send("look", { layer: 1 });
  assert.equal(link.problem.value, null);
  await link.send("weight", { value: 7 });
  assert.deepEqual([link.problem.value.code, link.problem.value.sent], ["no_such_weight", { value: 7 }]);
  replies.look = { ok: true, seq: 2 };
  await link.send("look", { layer: 1 });
  assert.notEqual(link.problem.value, null, "a look takes no sentence away");
  await link.send("play");
  assert.equal(link.problem.value, null);
});
