"""Each engine's best form of the same training loop.  A peer that isn't installed is left out, and said so."""
