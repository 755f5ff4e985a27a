// Settings are shown at once; the server confirms them or they are taken back.
import assert from "node:assert/strict";
import test from "node:test";
import { RunSettings } from "../../../static/js/core/settings.js";

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Settings of an opened run; the test answers what is sent. */
function settingsOf(start, { open = true } = {}) {
  const sent = [];
  const answers = [];
  const state = { open, now: 0 };
  const send = (patch) => {
    if (!state.open) return null;
    sent.push(patch);
    return new Promise((resolve) => answers.push(resolve));
  };
  const settings = new RunSettings(start, send, () => state.now);
  if (open) settings.opened(start, start);
  return { settings, sent, state, answer: (reply = { ok: true }) => (answers.shift()(reply), settled()) };
}

test("a change is shown before the server knows of it, and what changes meanwhile goes together", async () => {
  const { settings, sent, answer } = settingsOf({ rate: 1, batch: 1 });
  assert.deepEqual(settings.set({ rate: 2, batch: 1 }), { rate: 2 }, "only what is otherwise counts");
  settings.set({ rate: 3 });
  settings.set({ batch: 5 });
  assert.deepEqual(settings.shown.value, { rate: 3, batch: 5 });
  assert.deepEqual(sent, [{ rate: 2 }]);
  await answer();
  assert.deepEqual(sent, [{ rate: 2 }, { rate: 3, batch: 5 }]);
  await answer();
  assert.deepEqual(settings.shown.value, { rate: 3, batch: 5 });
});

test("what is refused is taken back; what was changed since stays", async () => {
  const { settings, answer } = settingsOf({ rate: 1, batch: 1 });
  settings.set({ rate: 99 });
  settings.set({ batch: 5 });
  await answer({ ok: false });
  assert.deepEqual(settings.shown.value, { rate: 1, batch: 5 });
});

test("what the server made of a patch is what is shown", async () => {
  const { settings, answer } = settingsOf({ rate: 1 });
  settings.set({ rate: 1.23456 });
  await answer({ ok: true, settings: { rate: 1.23 } });
  assert.deepEqual(settings.shown.value, { rate: 1.23 });
  settings.adopt({ rate: 0.1 });
  assert.deepEqual(settings.shown.value, { rate: 0.1 });
});

test("changes of before the run is open are sent when it is", async () => {
  const { settings, sent, state } = settingsOf({ rate: 1 }, { open: false });
  settings.set({ rate: 2 });
  assert.deepEqual(sent, []);
  state.open = true;
  settings.opened({ rate: 1 }, { rate: 1 });
  assert.deepEqual(sent, [{ rate: 2 }]);
});

test("a run that is found again follows what the page shows", () => {
  const { settings, sent, state } = settingsOf({ rate: 2 }, { open: false });
  state.open = true;
  settings.opened({ rate: 7, batch: 3 }, { rate: 2 });
  assert.deepEqual(sent, [{ rate: 2 }]);
  assert.deepEqual(settings.shown.value, { rate: 2, batch: 3 });
});

test("an answer of before the connection broke changes nothing and holds nothing up", async () => {
  const { settings, sent, answer } = settingsOf({ rate: 1 });
  settings.set({ rate: 2 });
  settings.opened({ rate: 1 }, settings.shown.value);
  assert.deepEqual(sent, [{ rate: 2 }, { rate: 2 }]);
  await answer({ ok: false });
  assert.deepEqual(settings.shown.value, { rate: 2 });
});

test("a change that the breaking connection swallowed is sent again", async () => {
  const { settings, sent, state, answer } = settingsOf({ rate: 1, batch: 1 });
  settings.set({ rate: 2 });
  settings.set({ rate: 3, batch: 5 });
  state.open = false;
  await answer(null);
  assert.deepEqual([settings.shown.value, sent], [{ rate: 3, batch: 5 }, [{ rate: 2 }]]);
  state.open = true;
  settings.opened({ rate: 2, batch: 1 }, settings.shown.value);
  assert.deepEqual(sent, [{ rate: 2 }, { rate: 3, batch: 5 }]);
});

test("undo and redo are changes like others; a slider that is dragged is one of them", async () => {
  const { settings, sent, state, answer } = settingsOf({ rate: 1, batch: 1 });
  for (const [now, rate] of [2, 3, 4].entries()) {
    state.now = 100 * now;
    settings.set({ rate });
  }
  await answer();
  await answer();
  assert.deepEqual(settings.undoable.value, { undo: true, redo: false });
  assert.deepEqual(settings.undo(), { rate: 1 });
  assert.deepEqual([settings.shown.value.rate, sent.at(-1)], [1, { rate: 1 }]);
  assert.deepEqual(settings.undoable.value, { undo: false, redo: true });
  assert.deepEqual(settings.undo(), {}, "there is nothing more to take back");
  assert.deepEqual(settings.redo(), { rate: 4 });
});

test("another run begins without a past", async () => {
  const { settings, sent, answer } = settingsOf({ rate: 1 });
  settings.set({ rate: 2 });
  settings.startAnew({ rate: 5 });
  await answer({ ok: true, settings: { rate: 2 } });
  assert.deepEqual(settings.shown.value, { rate: 5 });
  assert.deepEqual(settings.undoable.value, { undo: false, redo: false });
  assert.equal(sent.length, 1);
});
