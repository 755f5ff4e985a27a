"""Lessons: the same small network, written in two styles.  Run one with ``python -m examples.NAME``."""
