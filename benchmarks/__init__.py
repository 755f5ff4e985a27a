"""Benchmarks: ``make bench``, which is ``python -m benchmarks``."""
