"""Bring the page's few libraries into ``static/vendor`` and write their lock.

Run by a developer who changes a version below: ``python scripts/vendor.py``.  It needs the npm
client and its registry; the page itself needs neither.  Each package is packed by npm, the files
named here are copied with their bare imports made relative (browsers resolve those without an
import map, which a strict CSP would refuse), and ``lock.json`` notes name, version, licence and the
SHA-256 of every file.  ``tests/test_vendor.py`` checks the lock offline.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"


@dataclass(frozen=True)
class Library:
    """One npm package: ``files`` maps a path in the package to one under ``static/vendor``."""

    name: str
    version: str
    files: dict[str, str]


LIBRARIES = [
    Library(
        "preact",
        "11.2.0",
        {
            "dist/preact.mjs": "preact/preact.js",
            "src/index.d.ts": "preact/preact.d.ts",
            "src/jsx.d.ts": "preact/jsx.d.ts",
            "src/dom.d.ts": "preact/dom.d.ts",
            "hooks/dist/hooks.mjs": "preact/hooks.js",
            "hooks/src/index.d.ts": "preact/hooks.d.ts",
            "LICENSE": "preact/LICENSE",
        },
    ),
    Library(
        "@preact/signals-core",
        "1.14.5",
        {
            "dist/signals-core.mjs": "preact-signals/signals-core.js",
            "dist/signals-core.d.ts": "preact-signals/signals-core.d.ts",
            "LICENSE": "preact-signals/LICENSE-core",
        },
    ),
    Library(
        "@preact/signals",
        "2.11.4",
        {
            "dist/signals.mjs": "preact-signals/signals.js",
            "dist/signals.d.ts": "preact-signals/signals.d.ts",
            "LICENSE": "preact-signals/LICENSE",
        },
    ),
    Library("htm", "3.1.1", {"dist/htm.mjs": "htm/htm.js", "dist/htm.d.ts": "htm/htm.d.ts", "LICENSE": "htm/LICENSE"}),
    Library(
        "uplot",
        "1.6.32",
        {
            "dist/uPlot.esm.js": "uplot/uplot.js",
            "dist/uPlot.d.ts": "uplot/uplot.d.ts",
            "dist/uPlot.min.css": "uplot/uplot.css",
            "LICENSE": "uplot/LICENSE",
        },
    ),
    Library(
        "socket.io-client",
        "4.8.4",
        {"dist/socket.io.esm.min.js": "socket.io-client/socket.io.js", "LICENSE": "socket.io-client/LICENSE"},
    ),
]

# Where each bare import of the files above is found.
MODULES = {
    "preact": "preact/preact.js",
    "preact/hooks": "preact/hooks.js",
    "@preact/signals-core": "preact-signals/signals-core.js",
    "./index": "preact/preact.js",
    "../../src/index": "preact/preact.js",
}


def relative_import(target: str, importer: str) -> str:
    """The import path of ``target`` as seen from the file ``importer`` (both under ``static/vendor``)."""
    path = os.path.relpath(target, PurePosixPath(importer).parent).replace(os.sep, "/")
    return path if path.startswith(".") else f"./{path}"


def rewrite(text: str, importer: str) -> str:
    """``text`` of a module with bare imports made relative and the pointer to a source map removed."""

    def replace(match: re.Match[str]) -> str:
        name = match[3]
        return f"{match[1]}{match[2]}{relative_import(MODULES[name], importer) if name in MODULES else name}{match[2]}"

    text = re.sub(r"""(\bfrom\s*|\bimport\s*|declare module\s+)(["'])([^"']+)\2""", replace, text)
    return re.sub(r"\n?//# sourceMappingURL=.*", "", text).rstrip() + "\n"


def pack(library: Library, folder: Path) -> Path:
    """The package's archive, fetched by npm into ``folder``."""
    command = ["npm", "pack", "--silent", f"{library.name}@{library.version}", "--pack-destination", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return folder / done.stdout.strip().splitlines()[-1]


def install(library: Library, archive: Path) -> dict[str, object]:
    """Copy the library's files under ``static/vendor``; returns its entry in the lock."""
    hashes = {}
    with tarfile.open(archive) as tar:
        members = {member.name.partition("/")[2]: member for member in tar.getmembers()}
        manifest = json.loads(read(tar, members["package.json"]))
        for source, target in library.files.items():
            text = read(tar, members[source])
            if target.endswith((".js", ".ts")):
                text = rewrite(text, target)
            if target.endswith(".js") and target.replace(".js", ".d.ts") not in library.files.values():
                text = f"// @ts-nocheck\n{text}"  # the type checker follows imports, and this one brings no types
            path = VENDOR / target
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            hashes[target] = hashlib.sha256(text.encode()).hexdigest()
    return {"name": library.name, "version": manifest["version"], "licence": manifest["license"], "files": hashes}


def read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """The text of one file of the archive."""
    stream = tar.extractfile(member)
    if stream is None:
        raise ValueError(f"{member.name} is not a file")
    return stream.read().decode("utf-8")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        entries = [install(library, pack(library, Path(folder))) for library in LIBRARIES]
    (VENDOR / "lock.json").write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{sum(len(library.files) for library in LIBRARIES)} files of {len(LIBRARIES)} libraries in {VENDOR}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
