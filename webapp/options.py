"""The options of the command ``layerlab``, and the choices that they make."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from webapp import plugins
from webapp.config import Config, ConfigError


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line.  Raises SystemExit, as argparse does, after --help or what isn't an option."""
    parser = argparse.ArgumentParser(prog="layerlab", description="A neural-network playground for a class.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for a whole class")
    parser.add_argument("--port", type=int, default=8765, help="port to listen on (8765); 0 takes a free one")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="where to train (auto)")
    executors = "what computes on the CPU: Python with NumPy, or machine code compiled once by Numba (auto)"
    parser.add_argument("--executor", choices=("auto", "numpy", "native"), default="auto", help=executors)
    parser.add_argument("--workers", type=int, help="training processes (one a core)")
    parser.add_argument("--fps", type=float, default=30.0, help="pictures a second that a page gets at most (30)")
    parser.add_argument("--no-browser", action="store_true", help="don't open the page")
    parser.add_argument("--data-dir", help="where the server keeps its files (your cache folder)")
    extras = "a folder with kinds, lenses or layers of your own (see CONTRIBUTING.md); can be repeated"
    parser.add_argument("--plugins", action="append", default=[], metavar="DIR", help=extras)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    return parser.parse_args(arguments)


def config_of(options: argparse.Namespace) -> Config:
    """The server that the options ask for.  Raises ConfigError for what can't be had."""
    config = Config(
        host=options.host, port=options.port, device=options.device, executor=options.executor, fps=options.fps
    )
    if options.workers is not None:
        config = replace(config, workers=options.workers)
    if options.data_dir is not None:
        config = replace(config, data_dir=_folder("--data-dir", options.data_dir))
    return config


def use_plugins(options: argparse.Namespace) -> None:
    """Before the kinds are imported, which look into these folders, too.  Raises ConfigError if one isn't there."""
    wanted = [_folder("--plugins", each) for each in options.plugins]
    for folder in wanted:
        if not folder.is_dir():
            raise ConfigError(f"--plugins {folder}: there is no such folder.")
        if not any((folder / part).is_dir() for part in ("kinds", "layers")):
            raise ConfigError(f"--plugins {folder}: it holds neither kinds/ nor layers/, so it brings nothing.")
    plugins.use(dict.fromkeys(wanted))


def _folder(option: str, name: str) -> Path:
    if not name.strip():
        raise ConfigError(f"{option} {name!r}: name a folder, for example {option} ./layerlab (. is the current one).")
    try:
        return Path(name).expanduser().absolute()
    except RuntimeError:
        raise ConfigError(f"{option} {name}: there is nobody of that name here; write the whole path.") from None
