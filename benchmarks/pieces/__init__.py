"""Single pieces of training, ours beside the peers': ``python -m benchmarks.pieces``.

A piece (``catalogue.py``) is a product, a convolution, a sum; an engine's module has ``NAME`` and ``forms(piece)``.
"""
