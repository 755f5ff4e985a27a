// Frames: the newest one is painted, every one that came is acknowledged.
import assert from "node:assert/strict";
import test from "node:test";
import { signal } from "../../../static/vendor/preact-signals/signals-core.js";
import { Inbox } from "../../../static/js/core/inbox.js";

const frame = (sequence, sections = {}, key = false) => ({ header: { sequence, key }, sections });
const names = ({ sections }) => Object.keys(sections).sort().join();

/** An inbox whose animation frames the test plays. */
function inbox() {
  const waiting = new Set();
  const told = { credits: [], published: [], painted: 0 };
  const box = new Inbox({
    schedule: (paint) => waiting.add(paint),
    credit: ({ sequence }) => told.credits.push(sequence),
    publish: ({ header }) => told.published.push(header.sequence),
    painted: () => (told.painted += 1),
  });
  const tick = (now = 0) => {
    const paints = [...waiting];
    waiting.clear();
    return paints.map((paint) => paint(now));
  };
  return { box, told, tick, waiting };
}

test("the newest frame is painted, with what the ones before it brought; all are acknowledged", () => {
  const { box, told, tick } = inbox();
  const painted = [];
  box.onFrame((found, now) => painted.push([found.header.sequence, names(found), now]));
  box.receive(frame(1, { a: 1, b: 1 }, true));
  box.receive(frame(2, { b: 2 }));
  assert.deepEqual([painted, told.credits], [[], []], "nothing before an animation frame");
  tick(16);
  assert.deepEqual(painted, [[2, "a,b", 16]]);
  assert.deepEqual([told.credits, told.published, told.painted], [[1, 2], [2], 1]);
  box.receive(frame(3, { c: 3 }));
  tick(32);
  assert.deepEqual(painted.at(-1), [3, "a,b,c", 32]);
  box.receive(frame(4, { a: 4 }, true));
  tick(48);
  assert.deepEqual(painted.at(-1), [4, "a", 48], "a key frame stands alone");
});

test("an animation frame without news paints nothing", () => {
  const { box, told, tick, waiting } = inbox();
  box.receive(frame(1, {}, true));
  const [paint] = waiting;
  tick();
  assert.equal(paint(1), false);
  assert.equal(told.painted, 1);
});

test("a painter is fed at once if there is a frame, and no longer after its end", () => {
  const { box, tick } = inbox();
  box.receive(frame(1, {}, true));
  tick();
  const painted = [];
  const end = box.onFrame(({ header }) => painted.push(header.sequence));
  assert.deepEqual(painted, [1]);
  end();
  box.receive(frame(2));
  tick();
  assert.deepEqual(painted, [1]);
});

test("a painter is called again when a signal that it read has changed, once for all that changed", () => {
  const { box, tick } = inbox();
  const theme = signal("light");
  const painted = [];
  const end = box.onFrame(({ header }) => painted.push(`${header.sequence} ${theme.value}`));
  theme.value = "dark";
  assert.deepEqual(painted, [], "there is nothing to paint yet");
  box.publish = () => (theme.value = "light");
  box.receive(frame(1, {}, true));
  tick();
  assert.deepEqual(painted, ["1 light"]);
  theme.value = "dark";
  assert.deepEqual(painted, ["1 light", "1 dark"]);
  end();
});

test("a painter that fails stops neither the others nor the stream", () => {
  const { box, told, tick } = inbox();
  const painted = [];
  box.onFrame(() => {
    throw new Error("no canvas");
  });
  box.onFrame(({ header }) => painted.push(header.sequence));
  for (const sequence of [1, 2]) {
    box.receive(frame(sequence, {}, sequence === 1));
    assert.throws(tick, /no canvas/);
  }
  assert.deepEqual(
    [told.credits, painted],
    [
      [1, 2],
      [1, 2],
    ],
  );
});

test("the curve is kept: a key frame brings the whole of it, another one its last rows", () => {
  const { box } = inbox();
  const rows = (...epochs) => ({ curve: { data: epochs.flatMap((epoch) => [epoch, 1, 1, 0, 0]) } });
  box.receive(frame(1, rows(0, 1), true));
  box.receive(frame(2, rows(2)));
  assert.deepEqual(box.history.columns[0], [0, 1, 2]);
  box.receive(frame(3, rows(0), true));
  assert.deepEqual(box.history.columns[0], [0]);
});

test("another run begins with nothing of the old one", () => {
  const { box, told, tick } = inbox();
  box.receive(frame(1, { curve: { data: [0, 1, 1, 0, 0] } }, true));
  box.clear();
  assert.deepEqual([tick(), told.credits, box.frame, box.history.length], [[false], [], null, 0]);
});
