"""While a program runs, subnormal numbers count as 0.

In float32 these are the ones below 1.2e-38. What decays stays among them for good (0.9 x 3 of their units rounds to
3), and each costs some 150 cycles. A thread's processor has a word that makes them 0; NumPy has no switch for it,
but C's library has. Where that doesn't work, they only cost time.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from functools import cache

import numpy as np

Restore = Callable[[], object]
X86, ARM = 1 << 15 | 1 << 6, 1 << 24  # bits of MXCSR (for results, and for what is read) and of FPCR (for both)
WORDS = {  # in C's fenv_t: which 32 bits are the control word, and the bits in it
    ("Linux", "x86_64"): (7, X86), ("Linux", "aarch64"): (0, ARM),
    ("Darwin", "x86_64"): (1, X86), ("Darwin", "arm64"): (2, ARM),
}  # fmt: skip
WINDOWS_FLUSH, WINDOWS_MASK = 0x01000000, 0x03000000  # _DN_FLUSH and _MCW_DN of <float.h>


class Flushed:
    """``with Flushed():`` they count as 0 in this thread; afterwards all is as it was."""

    def __enter__(self) -> None:
        self._restore = switch()()

    def __exit__(self, *_: object) -> None:
        self._restore()


@cache
def switch() -> Callable[[], Restore]:
    """Makes them count as 0, and gives what ends that.  Tried once: nothing where it has no effect."""
    try:
        flush = _windows() if platform.system() == "Windows" else _posix()
    except (OSError, AttributeError, KeyError):  # another library, another processor
        return _nothing
    tiny = np.full(1, 1e-39, "f")
    restore = flush()
    inside = tiny * 1
    restore()
    return flush if inside[0] == 0 != (tiny * 1)[0] else _nothing


def _nothing() -> Restore:
    return lambda: None


def _posix() -> Callable[[], Restore]:
    place, bits = WORDS[platform.system(), platform.machine()]
    library = ctypes.CDLL(None)
    get, put = library.fegetenv, library.fesetenv
    room = ctypes.c_uint32 * 16  # more than any fenv_t

    def flush() -> Restore:
        words = room()
        get(words)
        before = words[place]
        words[place] = before | bits
        put(words)
        words[place] = before
        return lambda: put(words)

    return flush


def _windows() -> Callable[[], Restore]:
    control = ctypes.CDLL("ucrtbase")._controlfp_s

    def flush() -> Restore:
        before, now = ctypes.c_uint(), ctypes.c_uint()
        control(ctypes.byref(before), 0, 0)
        control(ctypes.byref(now), WINDOWS_FLUSH, WINDOWS_MASK)
        return lambda: control(ctypes.byref(now), before, WINDOWS_MASK)

    return flush
