"""Every command is a record: who may, what it costs, what becomes of those that wait; and nobody asks for its type."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import command_table
import pytest

from webapp.contract.commands import COMMON, Command, Commands, Role, RunWish, may
from webapp.contract.errors import ProtocolError
from webapp.kinds import commands, registry
from webapp.kinds.digits.commands import Drawing
from webapp.runs.commands import EFFECTS, HANDLERS
from webapp.workers.commands import IN_WORKERS

ROOT = Path(__file__).resolve().parents[2]
ALL = [*commands().common, *(command for own in commands().own.values() for command in own)]
# Where a message's type is looked at: the two tables' doors, and the records' own.
TABLES = {"webapp/contract/commands.py", "webapp/runs/commands.py", "webapp/workers/commands.py"}
RUN = "r" * 22


class Stray(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="stray"):
    """Nobody has a record of it."""


class Again(RunWish, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="play"):
    """Has the name of another."""


def test_the_documented_table_is_that_of_the_records():
    page = command_table.PAGE.read_text(encoding="utf-8")
    assert page == command_table.renewed(page), "run: python scripts/command_table.py"


def test_every_command_says_what_it_does():
    assert all(command.effect.endswith((".", ")")) for command in ALL)


@pytest.mark.parametrize("field", ["role", "cost", "merge"])
def test_a_record_without_who_may_what_it_costs_or_what_waits_cannot_be_made(field):
    fields: dict[str, Any] = {"struct": Stray, "role": "student", "cost": "set", "merge": "newest"}
    with pytest.raises(TypeError):
        Command(**{name: value for name, value in fields.items() if name != field})
    with pytest.raises(TypeError, match=f"{field} is one of"):
        Command(**{**fields, field: "whatever"})


def test_what_has_no_record_is_refused():
    known = commands()
    with pytest.raises(ProtocolError) as caught:
        known.decode({"type": "stray", "run": RUN, "seq": 1})
    assert caught.value.problem.code == "unknown_command"
    with pytest.raises(ProtocolError) as caught:
        known.of(Stray(run=RUN, seq=1), "points")
    assert caught.value.problem.code == "unknown_command"


def test_a_kinds_own_command_is_refused_by_the_others():
    draw = Drawing(run=RUN, seq=1, pixels=b"")
    assert commands().of(draw, "digits").name == "draw"
    with pytest.raises(ProtocolError) as caught:
        commands().of(draw, "points")
    assert caught.value.problem.code == "unknown_command"


def test_two_messages_of_one_name_cannot_be():
    with pytest.raises(TypeError, match="'play'"):
        Commands({"toy": [Command(struct=Again, role="student", cost="set", merge="newest")]})


def test_a_role_may_what_those_before_it_may():
    roles = get_args(Role)
    for command in ALL:
        allowed = [role for role in roles if may(role, command)]
        assert allowed == list(roles[roles.index(command.role) :])


def test_every_command_stands_in_exactly_one_place():
    for command in ALL:
        places = [command.struct in HANDLERS, command.struct in IN_WORKERS, command.handle is not None]
        assert places.count(True) == 1, f"{command.name} is done in {places.count(True)} places"
    structs = {command.struct for command in COMMON}
    assert (EFFECTS.keys() | HANDLERS.keys() | IN_WORKERS.keys()) == structs


def asked_types(tree: ast.AST) -> Iterator[ast.expr]:
    """What ``isinstance`` and ``type`` are called with, and the classes of ``match``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in {"isinstance", "type"}:
            yield from node.args
        elif isinstance(node, ast.MatchClass):
            yield node.cls


def words(node: ast.expr) -> set[str]:
    """Every name in ``node``: ``Set`` as well as ``commands.Set``."""
    return {getattr(part, "attr", getattr(part, "id", "")) for part in ast.walk(node)}


def test_nobody_asks_for_a_commands_type():
    names = {struct.__name__ for struct in commands().structs} | {"Wish", "RunWish", "wish"}
    found = [
        f"{place}:{asked.lineno}"
        for path in sorted((ROOT / "webapp").rglob("*.py"))
        if (place := path.relative_to(ROOT).as_posix()) not in TABLES
        for asked in asked_types(ast.parse(path.read_text(encoding="utf-8")))
        if words(asked) & names
    ]
    assert not found, f"what is done with a command stands in its table, not here: {found}"


def test_every_kind_has_its_commands_checked():
    assert commands().own.keys() == set(registry())
