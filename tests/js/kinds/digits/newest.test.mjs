// A drawing is sent as it grows, but never faster than the server answers.
import assert from "node:assert/strict";
import { test } from "node:test";

import { newestOnly } from "../../../../static/js/kinds/digits/newest.js";

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
