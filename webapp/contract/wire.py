"""The binary frame: one blob that the browser maps straight onto typed arrays.

All numbers are little-endian.

========  =======  ==========================================================
offset    type     field
========  =======  ==========================================================
0         4 bytes  magic ``LLAB``
4         u8       version (1)
5         u8       kind, as :class:`Codes` numbers it
6         u16      number of sections
8         u32      sequence: counts this run's frames
12        u32      command: ``seq`` of the last command applied
16        f64      step
24        f64      epoch
32        f64      time, seconds since 1970
40        16 bytes run id (the 16 bytes that the base64url text of the id encodes)
56        u32      flags: 1 key frame, 2 playing
60        u32      total length in bytes
========  =======  ==========================================================

Then one 32-byte entry a section: id u16, dtype u8, ndim u8, shape 4 x u32, offset u32
(from the blob's start, a multiple of 8), scale f32, zero f32.  A reader gets real values
by ``(raw - zero) * scale``; float sections have scale 1, zero 0.
"""

from __future__ import annotations

import base64
import secrets
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from webapp.contract.kind import COMMON, Kind, KindError, Part

MAGIC = b"LLAB"
VERSION = 1
HEADER = struct.Struct("<4sBBHIIddd16sII")
ENTRY = struct.Struct("<HBB4IIff")
KEY, PLAYING = 1, 2
DTYPES = {np.dtype(name): code for code, name in enumerate(["u1", "i1", "<u2", "<i4", "<f4"], start=1)}


class Codes:
    """The numbers that stand for kinds and for their sections: they follow from what there is, and the page is told.

    A kind's sections are numbered from 1: those of all kinds, its own, its lenses'.
    Raises KindError for a kind that has two sections of one name.
    """

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.kinds: dict[str, int] = {}
        self.sections: dict[str, dict[str, int]] = {}
        for code, kind in enumerate(kinds, start=1):
            sections = [*COMMON, *kind.sections, *(each for lens in kind.lenses.values() for each in lens.sections)]
            names = [section.name for section in sections]
            if len(set(names)) < len(names):
                raise KindError(f"kind {kind.name}: two sections of its frames share a name: {sorted(names)}")
            self.kinds[kind.name] = code
            self.sections[kind.name] = {name: number for number, name in enumerate(names, start=1)}


def new_run_id() -> str:
    """16 random bytes as 22 letters of base64url: nobody finds another's run by guessing."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


def run_bytes(run: str) -> bytes:
    """The 16 bytes of a run id's base64url text."""
    return base64.urlsafe_b64decode(run + "==")


def pack(
    codes: Codes,
    *,
    kind: str,
    run: str,
    sequence: int,
    command: int,
    step: int,
    epoch: float,
    parts: list[Part],
    key: bool,
    playing: bool,
) -> bytes:
    """The blob of one frame.  Raises ValueError for an array or a section that it can't carry."""
    numbers = codes.sections[kind]
    table_end = HEADER.size + ENTRY.size * len(parts)
    entries, bodies = [], []
    offset = -(-table_end // 8) * 8
    total = offset
    for part in parts:
        array = np.asarray(part.array, order="C")
        if array.dtype not in DTYPES or array.ndim > 4:
            raise ValueError(f"section {part.section}: a frame can't carry {array.dtype} with {array.ndim} axes")
        if part.section not in numbers:
            raise ValueError(f"section {part.section}: neither the kind {kind} nor a lens of it names it")
        shape = (*array.shape, 0, 0, 0, 0)[:4]
        entries.append(
            ENTRY.pack(numbers[part.section], DTYPES[array.dtype], array.ndim, *shape, offset, part.scale, part.zero)
        )
        bodies.append((offset, array))
        total = offset + array.nbytes
        offset = -(-total // 8) * 8
    blob = bytearray(total)
    HEADER.pack_into(
        blob, 0, MAGIC, VERSION, codes.kinds[kind], len(parts), sequence & 0xFFFFFFFF, command, step, epoch,
        time.time(), run_bytes(run), KEY * key | PLAYING * playing, total,
    )  # fmt: skip
    blob[HEADER.size : table_end] = b"".join(entries)
    for start, array in bodies:
        blob[start : start + array.nbytes] = array.tobytes()
    return bytes(blob)


@dataclass(frozen=True)
class Frame:
    """A frame read back (tests and tools; the page has its own reader)."""

    kind: str
    run: str
    sequence: int
    command: int
    step: int
    epoch: float
    time: float
    key: bool
    playing: bool
    parts: dict[str, np.ndarray]


def unpack(codes: Codes, blob: bytes) -> Frame:
    """Read a blob.  Raises ValueError if it isn't a whole frame of this version."""
    if len(blob) < HEADER.size:
        raise ValueError(f"a frame has at least {HEADER.size} bytes; got {len(blob)}")
    magic, version, kind, count, sequence, command, step, epoch, when, run, flags, total = HEADER.unpack_from(blob)
    if magic != MAGIC or version != VERSION or total != len(blob):
        raise ValueError(f"not a frame of version {VERSION}: {magic!r} version {version}, {total} of {len(blob)} bytes")
    dtypes = {code: dtype for dtype, code in DTYPES.items()}
    name = {code: name for name, code in codes.kinds.items()}.get(kind)
    if name is None:
        raise ValueError(f"a frame of a kind that nobody knows: {kind}")
    names = {code: section for section, code in codes.sections[name].items()}
    parts = {}
    for index in range(count):
        section, dtype, ndim, *shape, offset, scale, zero = ENTRY.unpack_from(blob, HEADER.size + index * ENTRY.size)
        array = np.frombuffer(blob, dtypes[dtype], int(np.prod(shape[:ndim])), offset).reshape(shape[:ndim])
        parts[names[section]] = array if scale == 1.0 and zero == 0.0 else (array - np.float32(zero)) * scale
    return Frame(
        kind=name,
        run=base64.urlsafe_b64encode(run).decode().rstrip("="),
        sequence=sequence,
        command=command,
        step=int(step),
        epoch=epoch,
        time=when,
        key=bool(flags & KEY),
        playing=bool(flags & PLAYING),
        parts=parts,
    )


def describe(codes: Codes) -> dict[str, object]:
    """The numbers a reader in another language needs."""
    return {
        "version": VERSION,
        "kinds": {code: name for name, code in codes.kinds.items()},
        "dtypes": {code: dtype.name for dtype, code in DTYPES.items()},
        "sections": {kind: {code: name for name, code in own.items()} for kind, own in codes.sections.items()},
        "flags": {"key": KEY, "playing": PLAYING},
    }
