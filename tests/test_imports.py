"""Who may know whom: the arrows of docs/architecture.md, read from the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXPRESSIONS = ROOT / "engine" / "native" / "expressions.txt"
LONGEST = 350  # lines of a file: one room, one reason to change

# A module of the engine may import those before it (and those in its own line).
ENGINE = [
    ["engine.foreign"],
    ["engine.errors"],
    ["engine.datasets", "engine.datasets.*"],
    ["engine.spec", "engine.values"],
    ["engine.attributes"],
    ["engine.expression"],
    ["engine.op"],
    ["engine.tensor"],
    ["engine.graph"],
    ["engine.ops", "engine.ops.*"],
    ["engine.grad"],
    ["engine.asked"],
    ["engine.passes", "engine.passes.*"],
    ["engine.merge"],
    ["engine.fuse"],
    ["engine.devices"],
    ["engine.plan"],
    ["engine.executors", "engine.executors.*"],
    ["engine.session"],
    ["engine.feed"],
    ["engine.init"],
    ["engine.layers"],
    ["engine.losses"],
    ["engine.optim"],
    ["engine.schedules"],
    ["engine.checkpoint"],
    ["engine.trace"],
    ["engine.theano"],
    ["engine"],  # its __init__ is the API
    ["engine.native", "engine.native.*"],  # nothing in the engine knows it: who wants it asks for it
]
# A module of webapp may import those before it (and those in its own line); only the web process knows the last five.
WEBAPP = [
    ["webapp.config", "webapp.locks", "webapp.logs", "webapp.plugins", "webapp.threads"],
    ["webapp.contract", "webapp.contract.*"],
    ["webapp.training", "webapp.training.*", "webapp.layers", "webapp.layers.*"],
    ["webapp.kinds", "webapp.kinds.*"],
    ["webapp.workers", "webapp.workers.*"],
    ["webapp.stream", "webapp.stream.flusher", "webapp.stream.hub", "webapp.stream.packets", "webapp.stream.transport"],
    ["webapp.runs", "webapp.runs.*"],
    ["webapp.stream.sockets"],
    ["webapp.web", "webapp.web.*"],
    ["webapp", "webapp.options", "webapp.cli", "webapp.__main__"],
]
# These build graph and never touch arrays, plans or sessions.
GRAPH_BUILDERS = ["engine.grad", "engine.init", "engine.layers", "engine.losses", "engine.optim", "engine.schedules"]
GRAPH = [
    "engine.foreign",
    "engine.errors",
    "engine.spec",
    "engine.values",
    "engine.attributes",
    "engine.expression",
    "engine.op",
]
GRAPH += ["engine.tensor", "engine.graph", "engine.ops", "engine.ops.*"]

WEB_LIBRARIES = ["flask", "flask_socketio", "socketio", "engineio", "werkzeug", "simple_websocket", "jinja2"]
WEB_MODULES = [
    "webapp.web.app",
    "webapp.cli",
    "webapp.stream.sockets",
    "webapp.web.identity",
    "webapp.stream.hub",
    "webapp.stream.transport",
]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = sorted(path for folder in ("engine", "webapp") for path in (ROOT / folder).rglob("*.py"))
MODULES = {module_name(path): path for path in FILES}
OTHERS = {"tests": "*.py", "tests/js": "*.mjs", "scripts": "*.py", "benchmarks": "*.py", "static/js": "*.js"}
OTHER_FILES = sorted(path for folder, kind in OTHERS.items() for path in (ROOT / folder).rglob(kind))


def imports(source: str, name: str, *, is_package: bool = False, for_types: bool = True) -> set[str]:
    """Every module that ``source`` (of module ``name``) imports, wherever in the file it does so.

    Without ``for_types``, what stands under ``if TYPE_CHECKING:`` is left out: it never runs.
    """
    package = name if is_package else name.rpartition(".")[0]
    found: set[str] = set()
    tree = ast.parse(source)
    if not for_types:
        tree.body = [node for node in tree.body if not is_for_types(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            # `from engine import graph` means the module engine.graph, not all of engine
            members = {f"{base}.{alias.name}" for alias in node.names}
            modules = members & MODULES.keys()
            found |= modules
            if modules != members:
                found.add(base)
    return found


def is_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports_of(name: str, *, for_types: bool = True) -> set[str]:
    path = MODULES[name]
    return imports(path.read_text(encoding="utf-8"), name, is_package=path.name == "__init__.py", for_types=for_types)


def matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def of_library(name: str, libraries: list[str]) -> bool:
    return name.split(".", maxsplit=1)[0] in libraries


def of_native(name: str) -> bool:
    return name == "engine.native" or name.startswith("engine.native.")


def rank(name: str) -> int:
    for place, line in enumerate(ENGINE if of_library(name, ["engine"]) else WEBAPP):
        if matches(name, line):
            return place
    pytest.fail(f"{name} has no place in the order: give it one here and in docs/architecture.md")


def named(prefix: str) -> list[str]:
    return [name for name in MODULES if name == prefix or name.startswith(prefix + ".")]


def test_the_reader_of_imports_sees_every_kind() -> None:
    source = "import a.b\nfrom c import d\ndef f():\n    from .e import g\nfrom . import op\nfrom .. import h\n"
    assert imports(source, "engine.graph") >= {"a.b", "c", "engine.e", "engine.op"}
    for_types = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\n"
    assert imports(for_types, "engine.op") - imports(for_types, "engine.op", for_types=False) == {"a"}


@pytest.mark.parametrize("name", named("engine"))
def test_the_engine_knows_nothing_of_the_web(name: str) -> None:
    strangers = [found for found in imports_of(name) if of_library(found, ["webapp", *WEB_LIBRARIES])]
    assert not strangers, f"{name} imports {strangers}; the engine must work without a page"


@pytest.mark.parametrize("name", named("engine"))
def test_inside_the_engine_a_file_knows_only_those_above_it(name: str) -> None:
    inside = [found for found in imports_of(name, for_types=False) if of_library(found, ["engine"])]
    below = [found for found in inside if rank(found) > rank(name)]
    assert not below, f"{name} imports {below}, which stand below it in docs/architecture.md"


@pytest.mark.parametrize("name", named("webapp"))
def test_inside_the_web_application_a_file_knows_only_its_floor_and_those_before(name: str) -> None:
    inside = [found for found in imports_of(name, for_types=False) if of_library(found, ["webapp"])]
    below = [found for found in inside if rank(found) > rank(name)]
    assert not below, f"{name} imports {below}, whose floor comes after its own in docs/architecture.md"


@pytest.mark.parametrize("name", named("webapp.kinds"))
def test_no_kind_knows_another(name: str) -> None:
    own = name.split(".")[2:3]
    others = [found for found in imports_of(name) if found.startswith("webapp.kinds.") and found.split(".")[2:3] != own]
    assert not own or not others, f"{name} imports {others}: what two kinds share belongs into webapp.training"


def test_only_a_kinds_own_folder_says_its_name() -> None:
    kinds = {name.split(".")[2] for name in named("webapp.kinds") if name.count(".") == 2}
    for name in named("webapp"):
        if name not in named("webapp.kinds"):
            tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
            said = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in kinds]
            assert not said, f"{name} names the kinds {said}: ask the registry"


def test_the_web_process_does_without_the_engine() -> None:
    look = "from webapp.kinds import commands; import webapp.web.app, sys; commands(); print('engine' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", [name for name in named("engine") if not of_native(name)])
def test_nothing_in_the_engine_knows_the_native_machine(name: str) -> None:
    assert not [found for found in imports_of(name) if of_native(found)], "who wants it asks for it, from outside"


def test_the_engine_and_its_machine_stay_as_small_as_they_are() -> None:
    """``wc -l``, the machine's list of expressions included."""
    own = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "engine").rglob("*.py")}
    own[EXPRESSIONS] = len(EXPRESSIONS.read_text(encoding="utf-8").splitlines())
    machine = sum(lines for path, lines in own.items() if EXPRESSIONS.parent in path.parents)
    assert machine < 6_180
    assert sum(own.values()) - machine < 9_060, "it should come down to 6,000: say things once, don't write them denser"


@pytest.mark.parametrize("name", [name for name in MODULES if matches(name, GRAPH_BUILDERS)])
def test_what_builds_graph_touches_no_arrays(name: str) -> None:
    inside = [found for found in imports_of(name) if of_library(found, ["engine"])]
    others = [found for found in inside if not matches(found, [*GRAPH, *GRAPH_BUILDERS])]
    assert not others, f"{name} builds graph, but imports {others}"


@pytest.mark.parametrize("name", MODULES)
def test_only_the_device_imports_cupy(name: str) -> None:
    if name != "engine.devices":
        assert not [found for found in imports_of(name) if of_library(found, ["cupy", "cupyx"])]


@pytest.mark.parametrize("name", [*named("webapp.workers"), *named("webapp.training"), *named("webapp.kinds")])
def test_workers_and_experiments_never_see_a_socket(name: str) -> None:
    web = [found for found in imports_of(name) if of_library(found, WEB_LIBRARIES) or matches(found, WEB_MODULES)]
    assert not web, f"{name} imports {web}; training runs in a process of its own, without the web"


@pytest.mark.parametrize("name", named("webapp.contract"))
def test_the_contract_knows_neither_the_engine_nor_the_web(name: str) -> None:
    assert not [found for found in imports_of(name) if of_library(found, ["engine", *WEB_LIBRARIES])]


@pytest.mark.parametrize("path", [*FILES, *OTHER_FILES], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_one_room(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST, f"{path.relative_to(ROOT)} has {lines} lines, more than {LONGEST}: part it"
