"""Whatever a page is told has its sentence in the catalogues (that these agree, tests/web/test_texts.py sees to)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.running import ROOT
from webapp.config import asset_folder
from webapp.web.assets import text_folders
from webapp.web.texts import Texts

UNSAID = {"error.no_such_neuron"}  # what the page pointed at has just gone: it looks elsewhere without a word


def keys_of(tree: ast.AST) -> Iterator[str]:
    """The key of each refusal and notice that this code makes."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        named = next((word.value for word in node.keywords if word.arg == "code"), None)
        code = named if called in {"Problem", "Notice"} else node.args[0] if node.args else None
        if isinstance(code, ast.Constant) and isinstance(code.value, str):
            if called in {"ProtocolError", "DataError", "Problem"}:
                yield f"error.{code.value}"
            elif called == "Notice" and code.value != "refused":  # which brings an error's code
                yield f"notice.{code.value}"


def test_every_refusal_and_notice_has_a_sentence():
    found = {
        key: path.name
        for folder in (ROOT / "webapp", ROOT / "engine" / "datasets")
        for path in sorted(folder.rglob("*.py"))
        for key in keys_of(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert {"error.busy", "error.too_many_runs", "error.data_folder", "notice.worker_restarted"} <= found.keys()
    texts = Texts(asset_folder("static") / "i18n", text_folders())["en"]
    assert {key for key in found if key not in texts} == UNSAID
