"""How many files a thing needs, as CONTRIBUTING.md tells its readers."""

from __future__ import annotations

import re

from tests.running import ROOT


def files_needed(thing: str) -> int:
    """The number that the table "Adding things" gives for ``thing``, e.g. "a kind"."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(rf"^\| {re.escape(thing)} \| (\d+)\b", text, re.MULTILINE)
    assert found is not None, f"CONTRIBUTING.md's table has no line for {thing!r}"
    return int(found[1])
