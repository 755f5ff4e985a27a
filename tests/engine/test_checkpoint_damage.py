"""Checkpoints that were damaged, or come from elsewhere: refused as a whole, or the very state that was written."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import engine as en
from engine import checkpoint
from tests.engine.test_checkpoint import Lesson, LongLesson, assert_same


def rewritten(data: bytes, change: Any) -> bytes:
    """``data`` with its own part of the metadata changed, and a digest that fits."""
    arrays = safetensors.numpy.load(data)
    own, texts = checkpoint._header(data)
    own.pop("digest")
    change(own)
    own["digest"] = checkpoint._digest(own, texts, arrays)
    return safetensors.numpy.save(arrays, {**texts, checkpoint.KEY: json.dumps(own)})


BROKEN: dict[str, Any] = {
    "no numbers": lambda state: state.update(state={}),
    "words": lambda state: state.update(state={"state": "many", "inc": "few"}),
    "too large": lambda state: state["state"].update(inc=2**200),
    "below 0": lambda state: state["state"].update(state=-1),
    "a part only": lambda state: state.pop("has_uint32"),
    "a list": lambda state: state.update(state=[1, 2]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_generator_s_state_changes_nothing(how):
    lesson, other = LongLesson(), LongLesson()
    lesson.steps(2)
    other.steps(1)
    data = rewritten(
        checkpoint.dumps(lesson.session, random=lesson.random), lambda own: BROKEN[how](own["random"]["batches"])
    )
    before = other.session.state(), {name: repr(each.bit_generator.state) for name, each in other.random.items()}
    with pytest.raises(en.CheckpointError, match=r"the random state batches can't be taken by a PCG64"):
        checkpoint.loads(other.session, data, other.random)
    assert_same(other.session.state(), before[0])
    assert {name: repr(each.bit_generator.state) for name, each in other.random.items()} == before[1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda own: own.pop("seed"), "lacks 'seed'"),
        (lambda own: own.update(random=[1]), "no random states by name"),
        (lambda own: own.update(random={"batches": 3}), "holds the random states batches; batches of kind PCG64"),
        (lambda own: own.update(format=3), "has the format 3, this engine reads 1 to 2"),
    ],
    ids=["without a seed", "a list", "a number", "of a later engine"],
)
def test_a_description_of_another_make_is_refused(change, text):
    lesson = LongLesson()
    before = lesson.session.state()
    lesson.steps(1)
    data = rewritten(checkpoint.dumps(lesson.session, random=lesson.random), change)
    lesson.session.reset()
    with pytest.raises(en.CheckpointError, match=text):
        checkpoint.loads(lesson.session, data, lesson.random)
    assert_same(lesson.session.state(), before)


def test_a_file_of_before_there_were_digests_is_read():
    first, second = LongLesson(), LongLesson()
    first.steps(2)
    data = checkpoint.dumps(first.session, random=first.random)
    own, _ = checkpoint._header(data)
    del own["digest"]
    old = safetensors.numpy.save(safetensors.numpy.load(data), {checkpoint.KEY: json.dumps(own | {"format": 1})})
    checkpoint.loads(second.session, old, second.random)
    assert_same(first.session.state(), second.session.state())
    assert first.steps(2) == second.steps(2)


def test_texts_are_what_metadata_are():
    with pytest.raises(en.CheckpointError, match="metadata are texts"):
        checkpoint.dumps(Lesson().session, {"epoch": 7})  # type: ignore[dict-item]


class Written:
    """A checkpoint, and a session and a generator that are elsewhere."""

    def __init__(self) -> None:
        lesson, self.other = Lesson(), Lesson()
        lesson.steps(2)
        rng, self.rng = np.random.default_rng(5), np.random.default_rng(6)
        self.right = lesson.session.state(), rng.bit_generator.state
        self.data = checkpoint.dumps(lesson.session, {"epoch": "7"}, {"batches": rng})
        self.head = 8 + int.from_bytes(self.data[:8], "little")
        self.before = self.other.session.state(), self.rng.bit_generator.state

    def go_back(self) -> None:
        self.other.session.load_state(self.before[0])
        self.rng.bit_generator.state = self.before[1]


@pytest.fixture(scope="module")
def written() -> Written:
    return Written()


# where (as a share of the header, or of the rest), and what becomes of the bytes there
CHANGES = st.lists(
    st.tuples(st.booleans(), st.floats(0, 1, exclude_max=True), st.sampled_from(["xor", "cut", "put", "swap"]),
              st.binary(min_size=1, max_size=3)),
    min_size=1, max_size=3,
)  # fmt: skip


def changed(data: bytes, head: int, changes: list[tuple[bool, float, str, bytes]]) -> bytes:
    found = bytearray(data)
    for in_header, share, how, what in changes:
        at = int(share * head) if in_header else head + int(share * (len(data) - head))
        part = found[at : at + len(what)]
        if how == "xor":
            found[at : at + len(part)] = bytes(a ^ b for a, b in zip(part, what, strict=False))
        elif how == "put":
            found[at:at] = what
        elif how == "cut":
            del found[at : at + len(what)]
        else:  # a digit for a digit, a letter for a letter: still JSON
            found[at : at + len(part)] = bytes(each ^ 1 if chr(each).isalnum() else each for each in part)
    return bytes(found)


@settings(max_examples=1000)
@given(changes=CHANGES)
def test_a_changed_checkpoint_is_refused_whole_or_gives_the_same_state(written: Written, changes):
    wanted = written.right
    try:
        checkpoint.loads(written.other.session, changed(written.data, written.head, changes), {"batches": written.rng})
    except en.CheckpointError:
        wanted = written.before
    assert_same(written.other.session.state(), wanted[0])
    assert written.rng.bit_generator.state == wanted[1]
    if wanted is written.right:
        written.go_back()
