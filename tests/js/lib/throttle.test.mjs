// What changes quickly is sent or drawn less often; the last value is never left out.
import assert from "node:assert/strict";
import { test } from "node:test";

import { afterPause, atMostEvery, newestOnly } from "../../../static/js/lib/throttle.js";

/** A server whose answers the test gives by hand. */
function server() {
  const sent = [];
  const answers = [];
  const send = (value) => {
    sent.push(value);
    return new Promise((resolve, reject) => answers.push({ resolve, reject }));
  };
  return { sent, answers, send };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("the first value goes at once, then the newest after the answer; none in between", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { sent, answers, send } = server();
  const offer = newestOnly(send, 50);
  for (const value of [1, 2, 3]) offer(value);
  assert.deepEqual(sent, [1]);
  t.mock.timers.tick(50);
  await settled();
  assert.deepEqual(sent, [1], "not before the answer");
  answers[0].resolve();
  await settled();
  assert.deepEqual(sent, [1, 3]);
});

test("a fast server still gets at most one value each gap", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { sent, answers, send } = server();
  const offer = newestOnly(send, 50);
  offer("a");
  answers[0].resolve();
  offer("b");
  await settled();
  assert.deepEqual(sent, ["a"]);
  t.mock.timers.tick(50);
  await settled();
  assert.deepEqual(sent, ["a", "b"]);
});

test("a refused value does not hold up the next", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { sent, answers, send } = server();
  const offer = newestOnly(send, 50);
  offer("bad");
  offer("good");
  answers[0].reject(new Error("refused"));
  t.mock.timers.tick(50);
  await settled();
  assert.deepEqual(sent, ["bad", "good"]);
});

test("it rests once nothing waits, and starts again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { sent, answers, send } = server();
  const offer = newestOnly(send, 50);
  offer(1);
  answers[0].resolve();
  t.mock.timers.tick(50);
  await settled();
  offer(2);
  assert.deepEqual(sent, [1, 2]);
});

test("drawing is done at once after a rest, then at most once in the gap; the last is never left out", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let [now, drawn] = [1000, 0];
  const pass = (time) => {
    now += time;
    t.mock.timers.tick(time);
  };
  const { offer, end } = atMostEvery(
    () => (drawn += 1),
    100,
    () => now,
  );
  offer();
  pass(0);
  assert.equal(drawn, 1);
  for (let n = 0; n < 3; n++) {
    pass(20);
    offer();
  }
  assert.equal(drawn, 1);
  pass(40);
  assert.equal(drawn, 2, "the last one is drawn when the gap is over");
  pass(500);
  assert.equal(drawn, 2, "and nothing without an offer");
  offer();
  end();
  pass(500);
  assert.equal(drawn, 2);
});

test("who passes by asks for nothing", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let done = 0;
  const { offer, end } = afterPause(() => (done += 1), 40);
  for (let n = 0; n < 5; n++) {
    offer();
    t.mock.timers.tick(30);
  }
  assert.equal(done, 0);
  t.mock.timers.tick(10);
  assert.equal(done, 1);
  offer();
  end();
  t.mock.timers.tick(100);
  assert.equal(done, 1);
});
