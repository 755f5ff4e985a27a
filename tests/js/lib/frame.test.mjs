import assert from "node:assert/strict";
import test from "node:test";
import { decodeFrame, mergeFrames, runText } from "../../../static/js/lib/frame.js";

const WIRE = {
  version: 1,
  kinds: { 1: "points", 2: "digits" },
  dtypes: { 1: "uint8", 5: "float32" },
  sections: { points: { 1: "layers", 8: "metrics" } },
  flags: { key: 1, playing: 2 },
};

/** A frame with one float section "metrics" and one section of a number that WIRE doesn't know. */
function blob({ version = 1, total = 144, magic = "LLAB" } = {}) {
  const buffer = new ArrayBuffer(144);
  const view = new DataView(buffer);
  [...magic].forEach((letter, index) => view.setUint8(index, letter.charCodeAt(0)));
  view.setUint8(4, version);
  view.setUint8(5, 1);
  view.setUint16(6, 2, true);
  view.setUint32(8, 41, true);
  view.setUint32(12, 7, true);
  view.setFloat64(16, 1234, true);
  view.setFloat64(24, 2.5, true);
  new Uint8Array(buffer, 40, 16).set(Array.from({ length: 16 }, (_, index) => 240 + index));
  view.setUint32(56, 3, true);
  view.setUint32(60, total, true);
  const entry = (at, id, dtype, size, offset) => {
    view.setUint16(at, id, true);
    view.setUint8(at + 2, dtype);
    view.setUint8(at + 3, 1);
    view.setUint32(at + 4, size, true);
    view.setUint32(at + 20, offset, true);
    view.setFloat32(at + 24, 1, true);
  };
  entry(64, 8, 5, 4, 128);
  entry(96, 999, 1, 4, 128);
  new Float32Array(buffer, 128, 4).set([0.5, 0.25, 0.75, 1]);
  return buffer;
}

test("a frame's header and sections are read", () => {
  const { header, sections } = decodeFrame(blob(), WIRE);
  assert.equal(header.kind, "points");
  assert.deepEqual([header.sequence, header.command, header.step, header.epoch], [41, 7, 1234, 2.5]);
  assert.deepEqual([header.key, header.playing], [true, true]);
  assert.deepEqual([...sections.metrics.data], [0.5, 0.25, 0.75, 1]);
  assert.deepEqual(sections.metrics.shape, [4]);
});

test("a section that this page does not know is left out", () => {
  assert.deepEqual(Object.keys(decodeFrame(blob(), WIRE).sections), ["metrics"]);
});

for (const [name, options] of Object.entries({
  "another version": { version: 2 },
  "a cut blob": { total: 200 },
  "something else": { magic: "JUNK" },
})) {
  test(`${name} is refused`, () => assert.throws(() => decodeFrame(blob(options), WIRE), /frame/));
}

test("a run id is written as base64url without padding", () => {
  assert.equal(runText(Uint8Array.from({ length: 16 }, () => 255)), "_____________________w");
});

test("a frame is laid over the one before; a key frame stands alone", () => {
  const section = (value) => ({ data: Float32Array.of(value), shape: [1], scale: 1, zero: 0 });
  const older = { header: { key: true }, sections: { points: section(1), metrics: section(2) } };
  const newer = { header: { key: false }, sections: { metrics: section(3) } };
  const merged = mergeFrames(older, newer);
  assert.equal(merged.sections.points.data[0], 1);
  assert.equal(merged.sections.metrics.data[0], 3);
  const key = { header: { key: true }, sections: { metrics: section(4) } };
  assert.equal(mergeFrames(older, key), key);
});
