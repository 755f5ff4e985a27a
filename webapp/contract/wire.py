"""The binary frame: one blob that the browser maps straight onto typed arrays.

All numbers are little-endian.

========  =======  ==========================================================
offset    type     field
========  =======  ==========================================================
0         4 bytes  magic ``LLAB``
4         u8       version (1)
5         u8       kind: 1 points, 2 digits
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
import struct
import time
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

MAGIC = b"LLAB"
VERSION = 1
HEADER = struct.Struct("<4sBBHIIddd16sII")
ENTRY = struct.Struct("<HBB4IIff")
KEY, PLAYING = 1, 2
KINDS = {"points": 1, "digits": 2}
DTYPES = {np.dtype(name): code for code, name in enumerate(["u1", "i1", "<u2", "<i4", "<f4"], start=1)}


class Section(IntEnum):
    """What a section holds.  N units are counted over all layers, inputs first, output last."""

    LAYERS = 1  # u16 (L,): units per layer, inputs first, output last
    WEIGHTS = 2  # f32 (sum of in*out,): layer by layer, row-major (in, out)
    BIASES = 3  # f32 (sum of out,): layer by layer, without the inputs
    MAPS = 4  # u8 (N, 30, 30): each unit over the plane, row 0 = largest y; 0..255 = -1..1 of its MAP_SCALE
    MAP_SCALE = 5  # f32 (N,): the absolute value that 255 stands for
    PLANE = 6  # u8 (100, 100): the unit that is looked at, fine; same coding as MAPS
    LOOK = 7  # i4 (2,): layer and unit shown in PLANE
    METRICS = 8  # f32 (4,): training loss, unseen loss, training accuracy, unseen accuracy
    CURVE = 9  # f32 (n, 5): epoch and METRICS over time; all (at most 1000 rows) in key frames, else the last 64
    POINTS = 10  # f32 (P, 2): x and y; key frames only
    LABELS = 11  # i1 (P,): +1 blue, -1 orange; u8 digits for GALLERY_IMAGES; key frames only
    UNSEEN = 12  # u8 (P,): 1 for a point kept for testing; key frames only
    PLANE_SCALE = 13  # f32 (1,): the absolute value that 255 stands for in PLANE
    UNIT_IMAGES = 20  # u8 (U, 28, 28): incoming weights of the first U units of the first layer; 127.5 = 0
    UNIT_SCALE = 21  # f32 (U,): the weight that 255 stands for
    ACTIVATIONS = 22  # f32 (sum of hidden units + 10,): of the picture that is looked at, layer by layer
    SUBJECT = 23  # u8 (28, 28): the picture that is looked at (the drawing, or a test image)
    GALLERY_IMAGES = 24  # u8 (G, 28, 28): key frames only
    GALLERY_INDEX = 25  # i4 (G,): their numbers among the test images; key frames only
    GALLERY_PROBS = 26  # f32 (G, 10)
    CONFUSION = 27  # i4 (10, 10): true digit by predicted digit over all test images, of the last evaluation


@dataclass(frozen=True)
class Part:
    """One array on its way into a frame."""

    section: Section
    array: np.ndarray
    scale: float = 1.0
    zero: float = 0.0


def run_bytes(run: str) -> bytes:
    """The 16 bytes of a run id's base64url text."""
    return base64.urlsafe_b64decode(run + "==")


def pack(
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
    """The blob of one frame.  Raises ValueError for an array the format can't carry."""
    table_end = HEADER.size + ENTRY.size * len(parts)
    entries, bodies = [], []
    offset = -(-table_end // 8) * 8
    total = offset
    for part in parts:
        array = np.asarray(part.array, order="C")
        if array.dtype not in DTYPES or array.ndim > 4:
            raise ValueError(f"section {part.section.name}: a frame can't carry {array.dtype} with {array.ndim} axes")
        shape = (*array.shape, 0, 0, 0, 0)[:4]
        entries.append(ENTRY.pack(part.section, DTYPES[array.dtype], array.ndim, *shape, offset, part.scale, part.zero))
        bodies.append((offset, array))
        total = offset + array.nbytes
        offset = -(-total // 8) * 8
    blob = bytearray(total)
    HEADER.pack_into(
        blob, 0, MAGIC, VERSION, KINDS[kind], len(parts), sequence & 0xFFFFFFFF, command, step, epoch,
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
    parts: dict[Section, np.ndarray]


def unpack(blob: bytes) -> Frame:
    """Read a blob.  Raises ValueError if it isn't a whole frame of this version."""
    if len(blob) < HEADER.size:
        raise ValueError(f"a frame has at least {HEADER.size} bytes; got {len(blob)}")
    magic, version, kind, count, sequence, command, step, epoch, when, run, flags, total = HEADER.unpack_from(blob)
    if magic != MAGIC or version != VERSION or total != len(blob):
        raise ValueError(f"not a frame of version {VERSION}: {magic!r} version {version}, {total} of {len(blob)} bytes")
    dtypes = {code: dtype for dtype, code in DTYPES.items()}
    parts = {}
    for index in range(count):
        section, dtype, ndim, *shape, offset, scale, zero = ENTRY.unpack_from(blob, HEADER.size + index * ENTRY.size)
        array = np.frombuffer(blob, dtypes[dtype], int(np.prod(shape[:ndim])), offset).reshape(shape[:ndim])
        parts[Section(section)] = array if scale == 1.0 and zero == 0.0 else (array - np.float32(zero)) * scale
    names = {code: name for name, code in KINDS.items()}
    return Frame(
        kind=names[kind],
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


def describe() -> dict[str, object]:
    """The numbers a reader in another language needs."""
    return {
        "version": VERSION,
        "kinds": {code: name for name, code in KINDS.items()},
        "dtypes": {code: dtype.name for dtype, code in DTYPES.items()},
        "sections": {section.value: section.name.lower() for section in Section},
        "flags": {"key": KEY, "playing": PLAYING},
    }
