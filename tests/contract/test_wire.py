"""The binary frame: what is packed comes out again, and what is damaged is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from webapp.contract import wire
from webapp.contract.kind import Part
from webapp.contract.wire import HEADER, new_run_id
from webapp.kinds import registry

SECTIONS = registry().codes.sections["points"].keys() & registry().codes.sections["digits"].keys()
ARRAY = st.sampled_from(list(wire.DTYPES)).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


@st.composite
def parts_of_a_frame(draw):
    sections = draw(st.lists(st.sampled_from(sorted(SECTIONS)), unique=True, max_size=6))
    return [Part(section, draw(ARRAY)) for section in sections]


def unpack(blob):
    return wire.unpack(registry().codes, blob)


def pack(parts=(), **values):
    base = {"kind": "points", "run": new_run_id(), "sequence": 0, "command": 0, "step": 0, "epoch": 0.0}
    return wire.pack(registry().codes, **{**base, "key": False, "playing": False, **values}, parts=list(parts))


@given(
    parts=parts_of_a_frame(),
    kind=st.sampled_from(["points", "digits"]),
    sequence=st.integers(0, 2**32 - 1),
    command=st.integers(0, 2**32 - 1),
    step=st.integers(0, 2**53),
    epoch=st.floats(0, 1e12),
    key=st.booleans(),
    playing=st.booleans(),
)
def test_what_is_packed_comes_out_again(parts, **values):
    run = new_run_id()
    blob = pack(parts, run=run, **values)
    frame = unpack(blob)
    assert frame.run == run
    for name, value in values.items():
        assert getattr(frame, name) == value
    assert list(frame.parts) == [part.section for part in parts]
    for part in parts:
        found = frame.parts[part.section]
        assert found.dtype == part.array.dtype and found.shape == part.array.shape
        assert found.tobytes() == np.ascontiguousarray(part.array).tobytes()


@given(parts_of_a_frame())
def test_sections_lie_where_typed_arrays_can_be_laid_on_them(parts):
    blob = pack(parts)
    for index in range(len(parts)):
        offset = wire.ENTRY.unpack_from(blob, HEADER.size + index * wire.ENTRY.size)[7]
        assert offset % 8 == 0


def test_scale_and_zero_give_real_values_back():
    part = Part("maps", np.array([[[0, 127, 255]]], "u1"), scale=2 / 255, zero=127.5)
    found = unpack(pack([part])).parts["maps"]
    np.testing.assert_allclose(found.ravel(), [-1, -1 / 255, 1], atol=1e-6)


def test_views_that_arent_contiguous_are_packed_by_value():
    array = np.arange(12, dtype="<f4").reshape(3, 4).T[::2]
    np.testing.assert_array_equal(unpack(pack([Part("weights", array)])).parts["weights"], array)


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((1,) * 5, "<f4"), np.zeros(3, "<i8"), np.zeros(2, ">f4")])
def test_arrays_that_a_frame_cant_carry_are_refused_by_name(array):
    with pytest.raises(ValueError, match="weights"):
        pack([Part("weights", array)])


@given(st.binary(max_size=200))
def test_noise_is_no_frame(noise):
    with pytest.raises(ValueError, match="frame"):
        unpack(noise)


@given(st.data())
def test_a_frame_cut_short_or_of_another_version_is_refused(data):
    blob = pack([Part("biases", np.arange(5, dtype="<f4"))])
    with pytest.raises(ValueError, match="frame"):
        unpack(blob[: data.draw(st.integers(0, len(blob) - 1))])
    with pytest.raises(ValueError, match="version"):
        unpack(blob[:4] + struct.pack("B", 2) + blob[5:])
