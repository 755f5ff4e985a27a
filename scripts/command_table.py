"""Write the table of all commands into docs/protocol.md, from their records: ``python scripts/command_table.py``.

The table stands between two marks; all around it is left as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from webapp.contract.commands import Command  # noqa: E402
from webapp.kinds import commands  # noqa: E402

PAGE = ROOT / "docs" / "protocol.md"
BEGIN, END = "<!-- commands: written by scripts/command_table.py -->", "<!-- end of commands -->"


def table() -> str:
    """All commands, those that every kind knows first, as Markdown."""
    rows = [
        "| Command | Kinds | Role | Whose run | Cost | Of those that wait | Moves along | What it does |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows += [_row(command, "all") for command in commands().common]
    own: dict[type, tuple[Command, list[str]]] = {}
    for kind, records in commands().own.items():
        for command in records:
            own.setdefault(command.struct, (command, []))[1].append(kind)
    rows += [_row(command, ", ".join(kinds)) for command, kinds in own.values()]
    return "\n".join(rows)


def _row(command: Command, kinds: str) -> str:
    cells = [
        f"`{command.name}`",
        kinds,
        command.role,
        "one's own" if command.own else "any",
        command.cost,
        command.merge,
        "yes" if command.moves else "no",
        command.effect.replace("``", "`").replace("|", "\\|"),
    ]
    return f"| {' | '.join(cells)} |"


def renewed(page: str) -> str:
    """``page`` with the table of now.  Raises ValueError if the marks aren't there."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
