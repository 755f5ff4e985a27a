"""The modules that a page begins with are read from the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapp.config import ConfigError
from webapp.kinds import registry
from webapp.web import modules
from webapp.web.describe import modules_of

SOURCE = """// A page.
import a from "./a.js";
import {
  b,
} from "../b.js";
import "./c.js"; export { d } from "./d.js";
import * as e from './e.js';
/** @typedef {import("./type.js").T} T */
// import "./comment.js";
/*
import "./block.js";
*/
export const words = "./text.js";
const f = await import("./later.js");
"""


def test_the_statements_of_a_module_are_read_and_nothing_else() -> None:
    assert modules.imports(SOURCE) == ["./a.js", "../b.js", "./c.js", "./d.js", "./e.js"]
    packed = 'import{a as b}from"../a.js";import c,{d}from"./b.js";export{e}from"./c.js";const x="import";'
    assert modules.imports(packed) == ["../a.js", "./b.js", "./c.js"]


@pytest.mark.parametrize("page", registry())
def test_a_page_begins_with_its_own_modules_and_those_of_no_other(page: str) -> None:
    found = modules_of(page)
    assert found[0] == modules.MAIN
    assert f"/static/js/kinds/{page}/index.js" in found
    assert "/static/js/core/link.js" in found
    assert not [address for address in found if "/kinds/" in address and f"/kinds/{page}/" not in address]


def test_a_missing_module_stops_the_start_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.js").write_text('import "./gone.js";')
    places = {"/static/js/main.js": tmp_path / "main.js"}
    monkeypatch.setattr(modules, "file_of", places.get)
    with pytest.raises(ConfigError, match=r"/static/js/main\.js loads /static/js/gone\.js, which isn't there"):
        modules.reached([modules.MAIN])
