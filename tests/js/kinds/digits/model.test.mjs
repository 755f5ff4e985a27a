// What a frame of a digits run says, under the names that the views use.
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  reach,
  readView,
  shapeOf,
  testedSinceStart,
  viewOf,
  worstPairs,
} from "../../../../static/js/kinds/digits/model.js";

const section = (data, shape = [data.length]) => ({ data, shape, scale: 1, zero: 0 });

/** A frame of the net 784-3-2-10 with two gallery images. */
function frame(extra = {}) {
  const images = new Uint8Array(2 * 784);
  images.fill(7, 784);
  return {
    header: {},
    sections: {
      layers: section(Uint16Array.of(784, 3, 2, 10)),
      activations: section(Float32Array.from({ length: 15 }, (_, index) => index)),
      biases: section(Float32Array.from({ length: 15 }, (_, index) => -index)),
      subject: section(new Uint8Array(784).fill(7), [28, 28]),
      unit_images: section(new Uint8Array(3 * 784), [3, 28, 28]),
      unit_scale: section(Float32Array.of(1, 2, 3)),
      gallery_images: section(images, [2, 28, 28]),
      gallery_index: section(Int32Array.of(41, 99)),
      gallery_probs: section(
        Float32Array.from({ length: 20 }, (_, index) => (index === 4 || index === 17 ? 0.9 : 0)),
        [2, 10],
      ),
      labels: section(Int8Array.of(4, 2)),
      ...extra,
    },
  };
}

test("activations are dealt out to the layers", () => {
  const view = readView(frame());
  assert.deepEqual(
    view.hidden.map((layer) => [layer.size, [...layer.activations]]),
    [
      [3, [0, 1, 2]],
      [2, [3, 4]],
    ],
  );
  assert.deepEqual([...view.output.activations], [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  assert.deepEqual(
    [...view.units.biases],
    [0, -1, -2].map((bias) => bias || -0),
  );
});

test("the gallery knows what each image is and what the network reads", () => {
  const { gallery, picked } = readView(frame());
  assert.deepEqual(
    gallery.map(({ image, label, answer }) => [image, label, answer]),
    [
      [41, 4, 4],
      [99, 2, 7],
    ],
  );
  assert.equal(picked, 1, "the subject is the second image");
});

test("a drawing is no image of the gallery", () => {
  assert.equal(readView(frame({ subject: section(new Uint8Array(784).fill(8)) })).picked, -1);
});

test("a frame before the first evaluation has no confusion and may lack answers", () => {
  const view = readView(frame({ gallery_probs: undefined }));
  assert.equal(view.confusion, null);
  assert.deepEqual(
    view.gallery.map((item) => item.answer),
    [-1, -1],
  );
});

test("an empty gallery of mistakes is empty", () => {
  const none = {
    gallery_images: section(new Uint8Array(0), [0, 28, 28]),
    gallery_index: section(new Int32Array(0)),
    labels: section(new Int8Array(0)),
    gallery_probs: section(new Float32Array(0), [0, 10]),
  };
  const view = readView(frame(none));
  assert.deepEqual([view.gallery, view.picked], [[], -1]);
});

test("a frame of another kind has no view", () => {
  assert.equal(readView(frame({ subject: undefined })), null);
});

test("reach is the largest absolute value and never zero", () => {
  assert.equal(reach([0.5, -2, Number.NaN]), 2);
  assert.ok(reach([0, 0]) > 0);
});

test("the worst pairs come first; right answers are none of them", () => {
  const confusion = new Int32Array(100);
  confusion[11] = 900;
  confusion[49] = 12;
  confusion[94] = 30;
  assert.deepEqual(worstPairs(confusion), [
    { label: 9, answer: 4, times: 30 },
    { label: 4, answer: 9, times: 12 },
  ]);
  assert.deepEqual(worstPairs(new Int32Array(100)), []);
});

test("a network whose numbers overflowed has no answer, and says so", () => {
  assert.equal(readView(frame()).overflowed, false);
  const activations = section(Float32Array.from({ length: 15 }, (_, index) => (index < 5 ? 0 : NaN)));
  const gallery_probs = section(new Float32Array(20).fill(NaN), [2, 10]);
  const view = readView(frame({ activations, gallery_probs }));
  assert.equal(view.overflowed, true);
  assert.deepEqual(
    view.gallery.map(({ answer }) => answer),
    [-1, -1],
  );
});

test("a test counts once it must have begun with trained weights", () => {
  assert.equal(testedSinceStart([0], true), false, "of the first weights");
  assert.equal(testedSinceStart([0, 0.1], true), false, "may have begun right after the start");
  assert.equal(testedSinceStart([0, 0.1, 0.3], true), true);
  assert.equal(testedSinceStart([0.002], false), true, "one batch, then a test at rest");
  assert.equal(testedSinceStart([], false), false);
});

test("a shape stays the same object as long as only numbers change", () => {
  const first = shapeOf(viewOf(frame()), null);
  assert.deepEqual(first.sizes, [3, 2, 10]);
  assert.deepEqual([first.pictured, first.picked, first.overflowed, first.tested], [3, 1, false, false]);
  assert.deepEqual(first.gallery, [
    { image: 41, label: 4 },
    { image: 99, label: 2 },
  ]);
  const trained = frame({ activations: section(new Float32Array(15).fill(0.5)) });
  assert.equal(shapeOf(viewOf(trained), first), first);
  const overflowed = frame({ activations: section(new Float32Array(15).fill(NaN)) });
  assert.notEqual(shapeOf(viewOf(overflowed), first), first);
  const other = frame({ gallery_index: section(Int32Array.of(41, 98)) });
  assert.notEqual(shapeOf(viewOf(other), first), first);
});

test("a frame is read once", () => {
  const one = frame();
  assert.equal(viewOf(one), viewOf(one));
  assert.equal(viewOf({ header: {}, sections: {} }), null);
});
