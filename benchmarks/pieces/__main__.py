"""``python -m benchmarks.pieces``: one thread first, then everything else is imported."""

from __future__ import annotations

from benchmarks import one_thread

one_thread.take()

from benchmarks.pieces.run import main  # noqa: E402 - it imports NumPy

main()
