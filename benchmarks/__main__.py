"""``python -m benchmarks``: one thread first, then everything else is imported."""

from __future__ import annotations

from benchmarks import one_thread

one_thread.take()

from benchmarks.run import main  # noqa: E402 - it imports NumPy

main()
