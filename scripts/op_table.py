"""Write the table of all operations into docs/engine.md, from their records: ``python scripts/op_table.py``.

The table stands between two marks; all around it is left as it is.
"""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import engine  # noqa: E402, F401 - fills the registry
from engine.op import REGISTRY, Op  # noqa: E402

PAGE = ROOT / "docs" / "engine.md"
BEGIN, END = "<!-- operations: written by scripts/op_table.py -->", "<!-- end of operations -->"


def table() -> str:
    """All operations, file by file, as Markdown."""
    rows = ["| Operation | What it gives | Inputs | Gradient | Memory |", "|---|---|---|---|---|"]
    homes = _homes()
    last = ""
    for op in REGISTRY.values():
        home = homes[op.name]
        if home != last:
            rows.append(f"| **{home}** | | | | |")
            last = home
        rows.append(
            f"| `{op.name}` | {op.doc.replace('|', chr(92) + '|')} | {_inputs(op)} | {_gradient(op)} | {_memory(op)} |"
        )
    return "\n".join(rows)


def _homes() -> dict[str, str]:
    """The file that declares each operation: the one where its record is given a name."""
    found = {}
    for path in [ROOT / "engine" / "graph.py", *sorted((ROOT / "engine" / "ops").glob("*.py"))]:
        home = path.relative_to(ROOT / "engine")
        module = importlib.import_module(".".join(("engine", *home.with_suffix("").parts)))
        for names in re.findall(r"^(\w+(?:, \w+)*)(?:: Op)? = ", path.read_text(encoding="utf-8"), re.MULTILINE):
            for each in names.split(", "):
                if isinstance(made := getattr(module, each), Op):
                    found[made.name] = home.as_posix()
    return found


def _inputs(op: Op) -> str:
    if not op.samples:  # those that have no sample to count by
        return {"group": "any number", "flat": "any number", "assign": "2"}.get(op.name, "0")
    return "any number" if op.arity is None else str(op.arity)


def _gradient(op: Op) -> str:
    return "yes" if op.grad is not None else "no"


def _memory(op: Op) -> str:
    if op.view is not None:
        return "a window, no copy"
    if op.name in ("variable", "assign", "flat"):
        return "the variables'"
    if op.name == "group":
        return "none"
    return "may overwrite an input" if op.reuse else "its own"


def renewed(page: str) -> str:
    """``page`` with the table as it should be.  Raises ValueError if a mark is missing."""
    head, mark, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"{PAGE.name} needs the marks {BEGIN} and {END}")
    return f"{head}{mark}\n{table()}\n{end}{tail}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
