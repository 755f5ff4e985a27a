"""What a developer does with Layerlab: ``python scripts/tasks.py run|test|soak|bench|lint``.

``make`` calls this too.  Each task does all of its own set-up in ``.venv`` first; only Python
(3.11 or newer) has to be there.  Words after the task go on to the program that it starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from xml.etree import ElementTree

if sys.version_info < (3, 11):  # noqa: UP036 - said before what needs it is imported
    sys.exit(
        f"layerlab: Python 3.11 or newer is needed; this is {sys.version.split()[0]}; make PYTHON=... names another"
    )

import prepare
from prepare import PYTHON, ROOT, TOOLS, SetupError, say

TASKS = """\
  run    start Layerlab, e.g. run --no-browser --port 8800
  test   every check and test there is, the browser's included, but those of endurance
  soak   the tests of endurance: what grows in minutes of use
  lint   only the checks that read the code: ruff, mypy, tsc, prettier
  bench  measure how fast the engine is (benchmarks/)"""


@dataclass
class Outcome:
    """How one check went."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    note: str = ""
    seconds: float = 0.0

    def line(self) -> str:
        verdict = "FAILED" if self.failed else "skipped" if not self.passed else "ok"
        return f"{verdict:<8} {self.name:<22} {self.seconds:6.1f} s  {self.note}"


NO_TESTS = 5  # pytest's exit status
BROWSER = "tests/browser"
# Most tests wait for what they want to see, and share out the cores; those that look at the clock run alone.
TOGETHER = ("-m", "not clock and not soak", "-n", "auto", "--dist", "worksteal")
ALONE = ("-m", "clock and not soak")

Check = Callable[[list[str]], Outcome]


def main(arguments: list[str]) -> int:
    """Run the task named first; the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__, TASKS, sep="\n")
        return 0
    task, rest = arguments[0], arguments[1:]
    if task not in DO:
        print(f"no task is called {task!r}; there are:\n{TASKS}", file=sys.stderr)
        return 2
    try:
        return DO[task](rest)
    except SetupError as error:
        print(f"layerlab: {error}", file=sys.stderr)
        return 1


def run(options: list[str]) -> int:
    """Start the server; it ends as it would without us."""
    prepare.python_packages("run")
    command = [str(PYTHON), "-m", "webapp", *options]
    os.chdir(ROOT)
    if not prepare.WINDOWS:
        os.execv(command[0], command)
    try:
        return subprocess.run(command).returncode
    except KeyboardInterrupt:
        return 0


def bench(options: list[str]) -> int:
    """Run the benchmarks, in an environment of their own."""
    return subprocess.run([prepare.bench_python(), "-m", "benchmarks", *options], cwd=ROOT).returncode


def lint(_: list[str]) -> int:
    """The checks that only read the code."""
    prepare.python_packages("dev")
    return _summary(_side_by_side(READERS, []))


def test(options: list[str]) -> int:
    """All checks, all tests; words after ``test`` go on to pytest (e.g. ``test -x -k wire``)."""
    prepare.python_packages("dev")
    read = _side_by_side((warm, *READERS, node_tests), options)
    one_by_one = (pytest, clocked_tests, browser_tests, clocked_browser_tests)
    return _summary([*read, *(_timed(check, options) for check in one_by_one)])


def soak(options: list[str]) -> int:
    """The tests of endurance, one after the other."""
    prepare.python_packages("dev")
    return _summary([_timed(check, options) for check in (warm, soak_tests)])


def warm(_: list[str]) -> Outcome:
    """Compile the native machine, which all groups of tests load, before several of their processes would at once."""
    code = (
        "import pathlib, sys; from engine import native\n"
        "if native.problem() is None: native.load(pathlib.Path(sys.argv[1]))"
    )
    return _command("native machine", [str(PYTHON), "-c", code, str(TOOLS / "machine")])


def _side_by_side(checks: tuple[Check, ...], options: list[str]) -> list[Outcome]:
    """Checks that don't get in each other's way, one a core; what each says comes when it is through."""
    prepare.script_tools()  # by one, not by each that needs them
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(lambda check: _timed(check, options), checks))


def ruff(_: list[str]) -> Outcome:
    return _command("ruff check", [str(PYTHON), "-m", "ruff", "check", "."])


def ruff_format(_: list[str]) -> Outcome:
    return _command("ruff format", [str(PYTHON), "-m", "ruff", "format", "--check", "."])


def mypy(_: list[str]) -> Outcome:
    return _command("mypy", [str(PYTHON), "-m", "mypy"])


def tsc(_: list[str]) -> Outcome:
    return _script_tool("tsc (types in JS)", "typescript/bin/tsc", "--project", "jsconfig.json")


def prettier(_: list[str]) -> Outcome:
    return _script_tool("prettier (JS, CSS)", "prettier/bin/prettier.cjs", "--check", "--log-level=warn", ".")


def _script_tool(name: str, program: str, *options: str) -> Outcome:
    if why_not := prepare.script_tools():
        return Outcome(name, skipped=1, note=why_not)
    return _command(name, prepare.node(str(TOOLS / "node_modules" / program), *options))


def node_tests(_: list[str]) -> Outcome:
    report = TOOLS / "node.xml"
    TOOLS.mkdir(exist_ok=True)
    reporters = ["--test-reporter=dot", "--test-reporter-destination=stdout"]
    reporters += ["--test-reporter=junit", f"--test-reporter-destination={report}"]
    command = prepare.node("--test", *reporters, "tests/js/**/*.test.mjs")
    return _counted("node --test", command, report, held=True)


def pytest(options: list[str]) -> Outcome:
    """All that need no browser page of their own and no clock."""
    return _pytest("pytest", (f"--ignore={BROWSER}", *TOGETHER), options)


def clocked_tests(options: list[str]) -> Outcome:
    return _pytest("pytest, by the clock", (f"--ignore={BROWSER}", *ALONE), options)


def soak_tests(options: list[str]) -> Outcome:
    return _pytest("pytest, endurance", ("-m", "soak"), options)


def browser_tests(options: list[str]) -> Outcome:
    """A browser a core."""
    return _in_browser("browser tests", (BROWSER, *TOGETHER), options)


def clocked_browser_tests(options: list[str]) -> Outcome:
    return _in_browser("browser, by the clock", (BROWSER, *ALONE), options)


def _in_browser(name: str, which: Sequence[str], options: list[str]) -> Outcome:
    path, found = prepare.chromium()
    if path is None:
        return Outcome(name, skipped=1, note=found)
    say(f"browser: {path or 'from Playwright'}, version {found}")
    return _pytest(name, which, options, LAYERLAB_CHROMIUM=path)


def _pytest(name: str, which: Sequence[str], options: list[str], **variables: str) -> Outcome:
    report = TOOLS / "pytest.xml"
    command = [str(PYTHON), "-m", "pytest", *which, f"--junitxml={report}", *options]
    return _counted(name, command, report, bool(options), False, **variables)


def _command(name: str, command: list[str]) -> Outcome:
    good = _call(command, held=True) == 0
    return Outcome(name, passed=int(good), failed=int(not good))


def _call(command: list[str], held: bool = False, **variables: str) -> int:
    """The exit status of ``command``; ``held``: what it says is printed at its end, as others run beside it."""
    out, errors = (subprocess.PIPE, subprocess.STDOUT) if held else (None, None)
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=out, stderr=errors, encoding="utf-8", errors="replace"
    )
    if held:
        print(done.stdout, end="", flush=True)
    return done.returncode


def _counted(
    name: str,
    command: list[str],
    report: os.PathLike[str],
    chosen: bool = False,
    held: bool = False,
    **variables: str,
) -> Outcome:
    """Run a test runner and read from its JUnit report how many tests there were.

    ``chosen``: only some tests are wanted, and there may be none of this kind among them.
    """
    if os.path.exists(report):
        os.remove(report)
    code = _call(command, held, **variables)
    cases = list(ElementTree.parse(report).iter("testcase")) if os.path.exists(report) else []
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    outcome = Outcome(name, len(cases) - failed - skipped, failed, skipped)
    if code == NO_TESTS and chosen:
        outcome.skipped, outcome.note = 1, "none of them is chosen; "
    elif code and not failed:  # it broke off: no report, no tests, an internal error
        outcome.failed = 1
        outcome.note = f"exit status {code}; "
    outcome.note += f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped"
    return outcome


def _timed(check: Check, options: list[str]) -> Outcome:
    say(check.__name__.replace("_", " "))
    start = time.monotonic()
    outcome = check(options)
    outcome.seconds = time.monotonic() - start
    return outcome


READERS: tuple[Check, ...] = (mypy, tsc, prettier, ruff, ruff_format)  # those that take longest first


def _summary(outcomes: list[Outcome]) -> int:
    """Print what ran and what did not; the exit status."""
    print("\n" + "-" * 72)
    for outcome in outcomes:
        print(outcome.line())
    for outcome in outcomes:
        if not outcome.passed and not outcome.failed:
            print(f"\n!!! NOT RUN: {outcome.name}: {outcome.note} !!!")
    print("-" * 72)
    passed, failed, skipped = (sum(getattr(o, field) for o in outcomes) for field in ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


DO = {"run": run, "test": test, "soak": soak, "lint": lint, "bench": bench}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
