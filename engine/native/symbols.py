"""What an object file needs from elsewhere: compiled code is loaded where nothing but the C library is sure to be."""

from __future__ import annotations

from collections.abc import Iterator
from struct import iter_unpack, unpack_from

from engine.errors import EngineError

# The C library's functions that LLVM calls where the processor has no instruction, without underscores in front; and
# what Windows and macOS have compilers say of numbers and of large stacks.
_KNOWN = {
    "memcpy", "memmove", "memset", "bzero", "memset_pattern16", "cosf", "sinf", "sincosf", "sincosf_stret", "logf",
    "log2f", "expf", "exp2f", "powf", "tanhf", "sqrtf", "fmaf", "fmodf", "floorf", "ceilf", "truncf", "rintf",
    "nearbyintf", "roundf", "roundevenf", "fltused", "chkstk", "chkstk_darwin",
}  # fmt: skip


def refuse_unknown(code: bytes) -> None:
    """Raises EngineError if an object file needs what isn't the C library's: it would be called at address 0."""
    if strange := sorted(name for name in needed(code) if name.lstrip("_") not in _KNOWN):
        raise EngineError(
            f"LLVM has compiled calls of {', '.join(strange)}, which only this process may have: a vector library of "
            "Numba's (icc_rt), most likely; NUMBA_DISABLE_INTEL_SVML=1 in the environment keeps it out"
        )


def needed(code: bytes) -> set[str]:
    """The names that an object file of 64 bits (ELF, COFF or Mach-O) uses and doesn't define."""
    read = _elf if code.startswith(b"\x7fELF") else _mach_o if code.startswith(b"\xcf\xfa\xed\xfe") else _coff
    return set(read(code))


def _text(code: bytes, at: int) -> str:
    return code[at : code.index(b"\0", at)].decode()


def _elf(code: bytes) -> Iterator[str]:
    (at,), (size, count) = unpack_from("<Q", code, 40), unpack_from("<HH", code, 58)
    sections = [unpack_from("<IIQQQQI", code, at + size * each) for each in range(count)]
    for _, kind, _, _, start, length, link in sections:
        if kind == 2:  # the table of symbols; ``link`` is the section of their names
            for name, _, _, section, _, _ in iter_unpack("<IBBHQQ", code[start : start + length]):
                if name and section == 0:
                    yield _text(code, sections[link][4] + name)


def _coff(code: bytes) -> Iterator[str]:
    start, count = unpack_from("<II", code, 8)
    left = 0  # entries that belong to the one before
    for at in range(start, start + 18 * count, 18):
        if left:
            left -= 1
            continue
        short, place, section, left = *unpack_from("<II", code, at), *unpack_from("<hxxxB", code, at + 12)
        if section == 0:
            yield code[at : at + 8].rstrip(b"\0").decode() if short else _text(code, start + 18 * count + place)


def _mach_o(code: bytes) -> Iterator[str]:
    at = 32
    for _ in range(*unpack_from("<I", code, 16)):
        command, size = unpack_from("<II", code, at)
        if command == 2:  # where symbols and their names lie
            start, count, names, _ = unpack_from("<IIII", code, at + 8)
            for name, kind, _, _, _ in iter_unpack("<IBBHQ", code[start : start + 16 * count]):
                if kind & 0x0E == 0:
                    yield _text(code, names + name)
        at += size
