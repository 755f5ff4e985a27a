"""Decoding: whatever comes, it is a command within its bounds or a ProtocolError."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp.contract.commands import decode_credit
from webapp.contract.errors import ProtocolError
from webapp.contract.settings import Settings
from webapp.contract.wire import new_run_id
from webapp.kinds import commands, registry
from webapp.kinds.digits.commands import Drawing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
decode = commands().decode
TAGS = sorted(str(struct.__struct_config__.tag) for struct in commands().structs)
FIELDS = sorted({name for struct in commands().structs for name in struct.__struct_fields__})
ALMOST = st.fixed_dictionaries(
    {"type": st.sampled_from(TAGS)},
    optional={name: JSON | st.just("A" * 22) | st.integers(0, 5) for name in FIELDS},
)


def settings_for(kind: str, patch: dict[str, Any], base: Settings | None = None) -> Settings:
    return registry()[kind].settings_for(patch, base)


def described_settings() -> dict[str, Any]:
    """What the page is told of each kind's settings."""
    return {name: kind.fields for name, kind in registry().items()}


def outcome(read: Any, *args: Any) -> Any:
    """What ``read`` gives, or None for a ProtocolError; every other exception fails the test."""
    try:
        return read(*args)
    except ProtocolError as error:
        assert error.problem.code in {"bad_value", "unknown_command"}
        assert error.problem.message.isprintable() and len(error.problem.message) < 400
        msgspec.json.encode(error.problem)
        return None


@given(JSON)
@example({"type": "play", "run": "A" * 22, "seq": 1})
@example({"\n": None})
@example({"type": "x" * 50_000})
def test_anything_at_all(message):
    outcome(decode, message)
    outcome(decode_credit, message)


@given(ALMOST)
def test_almost_a_command(message):
    command = outcome(decode, message)
    if command is not None:
        assert command.__struct_config__.tag == message["type"]
        assert decode(msgspec.to_builtins(command)) == command


@given(
    st.sampled_from(["points", "digits"]), st.dictionaries(st.sampled_from([*FIELDS, "rate", "hidden", "layers"]), JSON)
)
def test_any_patch_of_settings(kind, patch):
    base = settings_for(kind, {})
    found = outcome(settings_for, kind, patch, base)
    if found is not None:
        assert settings_for(kind, msgspec.to_builtins(found)) == found


def numbers() -> list[Any]:
    """Each setting that is a number, with its bounds, from the description that the page gets."""
    described = described_settings()
    return [
        (kind, name, field)
        for kind, fields in described.items()
        for name, field in fields.items()
        if field["type"] in {"int", "float"}
    ]


@pytest.mark.parametrize(
    ("kind", "name", "field"), numbers(), ids=lambda value: value if isinstance(value, str) else ""
)
@given(data=st.data())
def test_numbers_outside_their_bounds_are_refused_and_those_inside_taken(kind, name, field, data):
    integer = field["type"] == "int"
    inside: Any = (
        st.integers(field["min"], field["max"]) if integer else st.floats(field["min"], field["max"], allow_nan=False)
    )
    value = data.draw(inside)
    assert getattr(settings_for(kind, {name: value}), name) == value
    outside: Any = st.integers().filter(lambda number: not field["min"] <= number <= field["max"])
    if not integer:
        outside = outside | st.floats(allow_nan=True).filter(lambda number: not field["min"] <= number <= field["max"])
    value = data.draw(outside)
    with pytest.raises(ProtocolError):
        settings_for(kind, {name: value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 10**400, True, "1", None, [1]], ids=repr)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ProtocolError):
        settings_for("points", {"rate": value})
    with pytest.raises(ProtocolError):
        decode({"type": "weight", "run": "A" * 22, "seq": 1, "layer": 1, "source": 0, "target": 0, "value": value})


def test_a_run_id_is_22_letters_of_base64url():
    assert decode({"type": "play", "run": new_run_id(), "seq": 0})
    for run in ("", "A" * 21, "A" * 23, "A" * 21 + "=", "A" * 21 + "\n", "Ä" * 22, 5):
        with pytest.raises(ProtocolError):
            decode({"type": "play", "run": run, "seq": 0})


def test_a_drawing_is_base64():
    pixels = bytes(range(256)) * 3 + bytes(16)
    command = decode({"type": "draw", "run": "A" * 22, "seq": 1, "pixels": base64.b64encode(pixels).decode()})
    assert isinstance(command, Drawing) and command.pixels == pixels
    assert decode({"type": "draw", "run": "A" * 22, "seq": 1, "pixels": ""})


def test_the_description_is_json_without_nan():
    text = json.dumps(described_settings(), allow_nan=False)
    described = json.loads(text)
    assert described["points"]["layers"]["max_length"] == 8
    for kind, fields in described.items():
        defaults = json.loads(msgspec.json.encode(settings_for(kind, {})))
        assert {name: field["default"] for name, field in fields.items()} == defaults


def test_deep_nesting_is_a_protocol_error():
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ProtocolError):
        settings_for("points", {"rate": deep})
    with pytest.raises(ProtocolError):
        decode(deep)
    while isinstance(deep, list):  # taken apart by hand: Python's own clean-up recurses
        deep = deep.pop()
