"""The lessons in examples/ do what they say."""

from __future__ import annotations

import contextvars

import pytest

from examples import mnist, mnist_tensorflow_style, mnist_theano_style


@pytest.fixture(scope="module")
def accuracies() -> dict[str, float]:
    """Each style's share of the 10,000 test digits; neither starts inside a graph."""
    digits = mnist.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "load", lambda: digits)  # unpacked once for both
        return {
            each.__name__: contextvars.Context().run(each.main) for each in (mnist_tensorflow_style, mnist_theano_style)
        }


def test_the_digits_are_what_the_lessons_say():
    train, test = mnist.load()
    assert (train.images.shape, test.images.shape) == ((60_000, 784), (10_000, 784))
    assert [each.dtype.name for each in (*train, *test)] == ["float32", "int32"] * 2
    assert (test.images.min(), test.images.max()) == (0, 1)
    assert sorted(set(test.labels)) == list(range(10))


def test_both_styles_read_nine_digits_of_ten(accuracies):
    assert len(accuracies) == 2
    assert min(accuracies.values()) >= 0.9


def test_both_styles_are_the_same_network(accuracies):
    first, second = accuracies.values()
    assert abs(first - second) <= 0.001  # rounding only: the batches are the same
