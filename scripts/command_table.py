"""Write the tables of commands and frame sections into docs/protocol.md: ``python scripts/command_table.py``.

They come from the records. Each stands between two marks; all around them is left as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from webapp.contract.commands import Command  # noqa: E402
from webapp.contract.kind import COMMON  # noqa: E402
from webapp.kinds import commands, registry  # noqa: E402

PAGE = ROOT / "docs" / "protocol.md"
MARK = "<!-- {}: written by scripts/command_table.py -->", "<!-- end of {} -->"


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


def sections() -> str:
    """All sections of frames, those of every kind first, as Markdown."""
    rows = ["| Section | Kind | Lens | What it holds |", "|---|---|---|---|"]
    rows += [f"| `{each.name}` | all | | {each.doc} |" for each in COMMON]
    for kind in registry().values():
        rows += [f"| `{each.name}` | {kind.name} | | {each.doc} |" for each in kind.sections]
        for lens in kind.lenses.values():
            rows += [f"| `{each.name}` | {kind.name} | {lens.name} | {each.doc} |" for each in lens.sections]
    return "\n".join(rows)


def renewed(page: str) -> str:
    """``page`` with the tables of now.  Raises ValueError if their marks aren't there."""
    for name, text in (("commands", table()), ("sections", sections())):
        first, last = (mark.format(name) for mark in MARK)
        before, begin, rest = page.partition(first)
        _, end, after = rest.partition(last)
        if not begin or not end:
            raise ValueError(f"the page has no {first} ... {last}")
        page = f"{before}{first}\n{text}\n{last}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
