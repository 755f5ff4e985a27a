"""A command of a kind is one file: its struct, its record and what it does."""

from __future__ import annotations

import inspect

import pytest

from tests.doors.counts import files_needed
from webapp.contract.commands import Command
from webapp.kinds import commands

OWN = {command.name: command for own in commands().own.values() for command in own}


@pytest.mark.parametrize("command", OWN.values(), ids=OWN)
def test_a_command_needs_the_files_that_its_readers_are_told(command: Command) -> None:
    assert command.handle is not None
    places = {inspect.getsourcefile(command.struct), inspect.getsourcefile(command.handle)}
    assert len(places) == files_needed("a command")
