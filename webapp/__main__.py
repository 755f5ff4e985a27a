"""``python -m webapp`` is the command ``layerlab``."""

if __name__ == "__main__":  # worker processes import this module without running it
    import sys

    from webapp.cli import main

    sys.exit(main())
