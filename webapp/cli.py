"""The command ``layerlab``: starts the server and opens the page."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import webbrowser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from webapp.config import Config

# Flask and the rest are imported in the functions: each worker process imports this module too.


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C.  Returns the exit status; what can't be had is said in one line on stderr."""
    from webapp.config import ConfigError
    from webapp.logs import log_to_stderr

    options = _parse(arguments)
    log_to_stderr(logging.WARNING, "%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        _use_plugins(options.plugins)
        return serve(_config(options), browser=not options.no_browser)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1


def serve(config: Config, browser: bool) -> int:
    """Listen, say where, and serve.  Raises ConfigError before anything has started."""
    from webapp.config import ConfigError
    from webapp.contract.kind import KindError
    from webapp.web.app import create_app
    from webapp.web.handles import raise_limit
    from webapp.web.serving import HttpServer, listen

    raise_limit(config)
    listener = listen(config)
    config = replace(config, port=listener.getsockname()[1])
    try:
        app = create_app(config)
    except KindError as error:
        raise ConfigError(str(error)) from error
    runs = app.extensions["layerlab"]
    server = HttpServer(listener, config, app)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        runs.start()
        print(f"Layerlab is ready: {config.address}", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(config.address,), daemon=True).start()
        server.serve_forever()  # returns on Ctrl-C
    except KeyboardInterrupt:
        pass  # it came before the server was serving
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave workers behind
        runs.stop()
        server.server_close()
    return 0


def _use_plugins(wanted: Sequence[Path]) -> None:
    """Before the kinds are imported, which look into these folders, too."""
    from webapp import plugins
    from webapp.config import ConfigError

    for folder in wanted:
        if not folder.is_dir():
            raise ConfigError(f"--plugins {folder}: there is no such folder.")
    plugins.use(folder.absolute() for folder in wanted)


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _config(options: argparse.Namespace) -> Config:
    from webapp.config import Config, ConfigError

    if options.workers is not None and options.workers < 1:
        raise ConfigError(f"--workers {options.workers}: at least 1 is needed.")
    if not 1 <= options.fps <= 120:
        raise ConfigError(f"--fps {options.fps:g}: 1 to 120 pictures a second can be sent.")
    config = Config(
        host=options.host, port=options.port, device=options.device, executor=options.executor, fps=options.fps
    )
    if options.workers is not None:
        config = replace(config, workers=options.workers)
    if options.data_dir is not None:
        config = replace(config, data_dir=options.data_dir.expanduser().absolute())
    return config


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="layerlab", description="A neural-network playground for a class.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for a whole class")
    parser.add_argument("--port", type=int, default=8765, help="port to listen on (8765); 0 takes a free one")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto", help="where to train (auto)")
    executors = "what computes on the CPU: Python with NumPy, or machine code compiled once by Numba (auto)"
    parser.add_argument("--executor", choices=("auto", "numpy", "native"), default="auto", help=executors)
    parser.add_argument("--workers", type=int, help="training processes (one a core)")
    parser.add_argument("--fps", type=float, default=30.0, help="pictures a second that a page gets at most (30)")
    parser.add_argument("--no-browser", action="store_true", help="don't open the page")
    parser.add_argument("--data-dir", type=Path, help="where the server keeps its files (your cache folder)")
    plugins = "a folder with kinds, lenses or layers of your own (see CONTRIBUTING.md); can be repeated"
    parser.add_argument("--plugins", type=Path, action="append", default=[], metavar="DIR", help=plugins)
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    return parser.parse_args(arguments)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from webapp.web.pages import version

        print(f"layerlab {version()}")
        parser.exit()
