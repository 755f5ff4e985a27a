"""What an instruction of the native machine is: a row of int64, and what its columns mean.

OP is the address of the kernel's code (0: a guard, see loop.py), OUT and others are addresses of numbers.  UNITS: into
how many pieces its work can be cut, to be done in any order and by anybody (for an element-wise one, the rows, or
blocks of a single row); 1: it is done whole.  WORK: some nanoseconds that it takes one core, to see whether sharing it
is worth it.

Element-wise instructions have three columns an input: its address, how many bytes it moves on an
element (0: one number for the row), and from row to row; so has a second result, behind them.  The others have
columns of their own.

CHAIN: how many instructions, from this one on, go unit by unit, each what the one before has left in the caches;
JOINED: the address of the code that does all of them at the same time, if there is some.  Its text is that of the
links, in which the inputs of the second are x9, x10 and so on; n9 is one that is a single number, y0 the first's
result.
"""

from __future__ import annotations

import re

INPUTS = 9  # of an element-wise instruction, at most
LINK = " | "  # between two links of a chain in its text
OP, UNITS, WORK, N, M, CHAIN, JOINED, OUT, OUT_ROW, IN = range(10)
WIDTH = IN + 3 * INPUTS
A, B, C, K, A0, A1, B0, B1, C0, C1, INFO, TILES, DEPTH, PARTS, PACKED, PACKS, AHEAD, PACKING = range(IN, IN + 18)

# What of a product is worked on at a time: of what is summed over, of the second factor's columns, of the first one's
# rows.  A panel of the second then fits the first-level cache, a block of the first a sixth of a megabyte.
DEEP, WIDE, TALL = 256, 1024, 168
COLUMNS = 128  # of a product of few rows that are summed at a time
GRAIN = 2000  # nanoseconds of a part for a thread, at least: to begin one and to wait for its end takes some hundred
LINE = 64  # bytes of a line of the caches
PATTERN = -(-8 * WIDTH // LINE) * LINE  # bytes of an instruction that a kernel makes, in lines of the caches
BLOCK = 4096  # elements of a row that are worked on at a time: those of a chain stay in the first-level cache

# What a kernel must know of windows over images lies in an array of its own: images; windows down and across;
# elements of a window; channels; filters; bytes from image to image, row to row, pixel to pixel, and the same of the
# result; how far windows, and their elements, lie apart; pixels of padding above and to the left; the image's size;
# the kind of pool.  Then how it is read: bytes of a row with its padding (0: as it lies), pixels that it takes from the
# image, and pixels after them; how often each channel comes; lines of windows and images that are done at a time.
(
    IMAGES, COUNT0, COUNT1, KERNEL0, KERNEL1, CHANNELS, FILTERS, IMAGE0, IMAGE1, IMAGE2, OUT0, OUT1, OUT2, STRIDE0,
    STRIDE1, DILATION0, DILATION1, PAD0, PAD1, SIZE0, SIZE1, POOL, FRAME, TAKEN, AFTER, TIMES, LINES, TOGETHER, WINDOW,
) = range(29)  # fmt: skip
# Numbers that a tile adds up in one go: sums of sums lose less.  Up to LONG that is left alone (3 x 3 x 64); SUMS such
# sums are added up one by one.
PIXELS, LONG, SUMS = 256, 640, 32
MAX, AVERAGE, AVERAGE_WITH_PADDING = range(3)  # pools

# What the loop is told at a call, in int64: its table's address and rows; steps; the streams' address and how many
# there are; memory to work in, and bytes of it a thread; threads; and the crew's address.
TABLE, LENGTH, STEPS, STREAMS, MOVED, MEMORY, SHARE, THREADS, CREW, CALL = range(10)

# The words that the threads of a run share (loop.py), in bytes from the first: those that are written at different
# times lie in different lines of the caches.
TICKET, DONE, BUSY, STOP, AT, CUT, ROOM, ROOM_SIZE, WORKERS, YIELD, CREW_SIZE = (
    0, 128, 256, 384, 512, 520, 528, 536, 544, 552, 640,
)  # fmt: skip

OPERAND = re.compile(r"(?<![\w.])([xtuin])(\d+)\b")


def operands(text: str) -> dict[int, str]:
    """The kind of each input of an expression, by its place: x float32, t truth, u byte, i int32, n one float32."""
    found = {int(place): letter for letter, place in OPERAND.findall(text)}
    return {place: found[place] for place in sorted(found)}
