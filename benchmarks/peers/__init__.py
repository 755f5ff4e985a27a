"""Each engine's best form of the same training loop.

A module has ``NAME`` and ``Runner(work, device)`` (:class:`benchmarks.workloads.Runner`).  One that isn't
installed is left out, and said so; a workload that it can't do raises Unsupported.
"""
