"""What an instruction of the native machine is: a row of int64, and what its columns mean.

OP is the address of the kernel's code, OUT and others are addresses of numbers.

Element-wise instructions have three columns an input: its address, how many bytes it moves on an
element (0: one number for the row), and from row to row.  The others have columns of their own.
"""

from __future__ import annotations

import re

INPUTS = 9  # of an element-wise instruction, at most
OP, N, M, CHAIN, OUT, OUT_ROW, IN = range(7)
WIDTH = IN + 3 * INPUTS
A, B, C, K, A0, A1, B0, B1, C0, ROOM, INFO, TILES = range(IN, IN + 12)  # of the other instructions

BLOCK = 1024  # elements of a chain that are worked on at a time: they stay in the first-level cache

# Windows over images lie in an array of their own: images, rows and columns of windows; height, width and
# channels of a window; filters; bytes from image to image, row to row, pixel to pixel; strides; dilations;
# pixels of padding above and to the left; the image's height and width; the kind of pool.
WINDOW = 19

KERNELS: dict[str, tuple[int, ...]] = {  # a kernel of the templates, and the columns that it takes
    "copy_bytes": (OUT, A, N),
    "fill": (OUT, A, N),
    "strided": (OUT, A, M, K, N, A0, A1, B0),
    "product": (TILES, OUT, A, B, C, C0, M, N, K, A0, A1, B0, B1, ROOM),
    "column_sums": (OUT, A, M, N),
    "row_sums": (OUT, A, M, N),
    "row_maxima": (OUT, A, M, N),
    "softmax_rows": (OUT, A, M, N),
    "log_softmax_rows": (OUT, A, M, N),
    "chosen_loss": (OUT, A, B, C, M, N),
    "one_hot_rows": (OUT, A, C, M, N),
    "gather_rows": (OUT, A, B, C, M, N, K),
    "scatter_rows": (OUT, A, B, C, M, N, K),
    "uniform_numbers": (OUT, A, N),
    "normal_numbers": (OUT, A, N),
    "add_whole": (OUT, A, B, N),
    "frame": (OUT, A, M, K, N, C, A0, A1, B0, B1, C0, ROOM),
    "mirrored": (OUT, A, M, K, N, C),
    "convolution": (TILES, OUT, A, B, C, INFO),
    "filter_gradient": (TILES, OUT, A, B, INFO),
    "pool": (OUT, A, INFO),
    "pool_back": (OUT, A, B, INFO),
}

_OPERAND = re.compile(r"(?<![\w.])([xtui])(\d+)\b")


def letters(text: str) -> str:
    """The kinds of an expression's inputs, in order: x float32, t truth, u byte, i int32."""
    found = {int(place): letter for letter, place in _OPERAND.findall(text)}
    return "".join(found[at] for at in range(len(found)))
