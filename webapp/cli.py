"""The command ``layerlab``: starts the server and opens the page.

Nothing heavy is imported up here: from the first line of :func:`main` on, Ctrl-C ends the server in
order; before, Python would answer it with a traceback.  And each worker process imports this module.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from webapp.config import Config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C.  Returns the exit status; what can't be had is said in one line on stderr."""
    stop = Stop()
    try:
        status = _run(arguments, stop)
    except SystemExit as end:  # argparse has said its word
        status = end.code if isinstance(end.code, int) else 1
    return _flushed(status)


def _run(arguments: Sequence[str] | None, stop: Stop) -> int:
    import logging

    from webapp.config import ConfigError
    from webapp.logs import log_to_stderr
    from webapp.options import config_of, parse, use_plugins

    _standard_streams()
    options = parse(arguments)
    if options.version:
        from webapp.web.pages import version

        return 0 if _say(f"layerlab {version()}") else 1
    log_to_stderr(logging.WARNING, "%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        _working_folder()
        use_plugins(options)
        return serve(config_of(options), browser=not options.no_browser, stop=stop)
    except ConfigError as error:
        _complain(str(error))
        return 1


def serve(config: Config, browser: bool, stop: Stop) -> int:
    """Listen, say where, and serve until ``stop``.  Raises ConfigError before anything has started."""
    import threading
    import webbrowser
    from dataclasses import replace

    from webapp.config import ConfigError
    from webapp.contract.kind import KindError
    from webapp.threads import forever
    from webapp.training.layers import LayerError
    from webapp.web.handles import raise_limit
    from webapp.web.serving import HttpServer, listen

    raise_limit(config)
    listener = listen(config)
    config = replace(config, port=listener.getsockname()[1])
    try:
        from webapp.web.app import create_app  # imports what plug-ins bring

        app = create_app(config)
    except (KindError, LayerError) as error:
        raise ConfigError(str(error)) from error
    runs = app.extensions["layerlab"]
    server = HttpServer(listener, config, app)
    if stop.came:
        return 0
    try:
        runs.start()
        if not stop.came:
            forever("http", server.serve_forever)
            _say(f"Layerlab is ready: {config.address}")
            if browser:
                threading.Thread(target=webbrowser.open, args=(config.address,), daemon=True).start()
            stop.wait()
            server.shutdown()
    finally:
        runs.stop()
        server.server_close()
        stop.be_deaf()
    return 0


class Stop:
    """Ctrl-C and SIGTERM, from now on: noted, however many there are, and never an exception somewhere."""

    def __init__(self) -> None:
        self.came = False
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, _signal: int, _frame: object) -> None:
        self.came = True

    def be_deaf(self) -> None:
        """All has ended but Python, whose end gives noted signals their default back: death, with its exit status."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def wait(self) -> None:
        """Return when one has come.  For the main thread, which alone hears signals."""
        import socket

        near, far = socket.socketpair()
        near.setblocking(False)
        signal.set_wakeup_fd(near.fileno(), warn_on_full_buffer=False)  # wakes the next line, on Windows too
        while not self.came:
            far.recv(64)
        signal.set_wakeup_fd(-1)
        near.close()
        far.close()


# ---- what a command can't rely on: its standard streams and the folder it was typed in


def _standard_streams() -> None:
    """See that 0, 1 and 2 are taken: the first sockets would become what children write to."""
    import os

    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number


def _working_folder() -> None:
    import os

    from webapp.config import ConfigError

    try:
        os.getcwd()
    except OSError:
        raise ConfigError("The folder you are in has been deleted; change to another one (cd) and try again.") from None


def _say(text: str) -> bool:
    """Print a line.  Where stdout can't be written (closed, a full disk) stderr is told, and the answer is False."""
    try:
        print(text, flush=True)
    except OSError as error:
        _complain(f"{text} (standard output can't be written: {error.strerror})")
        _silence_stdout()
        return False
    return True


def _complain(text: str) -> None:
    import contextlib

    with contextlib.suppress(OSError):  # then there is nobody who could be told
        print(text, file=sys.stderr, flush=True)


def _flushed(status: int) -> int:
    """Write what is still to be written to stdout; 1 instead of 0 if that fails."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _complain(f"Standard output can't be written: {error.strerror}.")
        _silence_stdout()
        return status or 1
    return status


def _silence_stdout() -> None:
    """What is left in its buffer goes nowhere, or Python would fail over it once more when it ends."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
