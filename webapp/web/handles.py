"""File handles: every connection costs some, and where they run out not even an error page can be read."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from webapp.config import Config, ConfigError

OUT_OF_HANDLES = frozenset({errno.EMFILE, errno.ENFILE})  # OSError's numbers: of this process, of the whole machine

MARGIN = 16  # connections beyond the bound that are being ended or turned away
_PER_CONNECTION = 2  # its own, and that of the selector which waits for it
_PER_WORKER = 8  # its pipe, and those of the one that replaces it
_SPARE = 64  # files that are read or written meanwhile, and whatever the libraries open
_FEWEST = 8  # connections: below, one browser alone would be turned away


def raise_limit(config: Config) -> None:
    """Have the system allow this process as many handles as ``config`` asks for, or as many as it may.

    Raises ConfigError where that isn't enough to serve anybody.
    """
    limits = _limits()
    if limits is None:
        return
    soft, hard = limits
    wanted = _handles_for(config, config.max_connections)
    for number in (wanted, 10_240) if soft < wanted else ():  # macOS says it has no limit, and takes 10,240 at most
        with contextlib.suppress(OSError, ValueError):
            _set_soft_limit(max(soft, min(number, hard)))
            break
    most_connections(config)


def most_connections(config: Config) -> int:
    """How many connections there may be, so that there are handles left for everything else.

    Raises ConfigError where that are too few to serve anybody.
    """
    limits = _limits()
    if limits is None:
        return config.max_connections
    soft = limits[0]
    most = (soft - _handles_for(config, 0)) // _PER_CONNECTION
    if most < _FEWEST:
        needed = _handles_for(config, 8 * _FEWEST)
        raise ConfigError(f"This process may open only {soft} files at once; allow it {needed} ('ulimit -n {needed}').")
    return min(most, config.max_connections)


def _handles_for(config: Config, connections: int) -> int:
    """Handles in use now, with those of the workers and of so many connections."""
    return _in_use() + config.workers * _PER_WORKER + _SPARE + (connections + MARGIN) * _PER_CONNECTION


def _in_use() -> int:
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return _SPARE  # a system that doesn't tell


if sys.platform == "win32":  # sockets aren't files there, and nothing limits them but memory

    def _limits() -> tuple[int, int] | None:
        return None

    def _set_soft_limit(number: int) -> None:
        raise NotImplementedError

else:
    import resource

    def _limits() -> tuple[int, int] | None:
        """The soft and the hard limit; an infinite one is a very large number here."""
        soft, hard = (2**31 if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(resource.RLIMIT_NOFILE))
        return soft, hard

    def _set_soft_limit(number: int) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
