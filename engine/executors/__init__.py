"""Ways to run a plan; all give the same results within rounding."""
