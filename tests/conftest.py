"""For all tests: how long a drawn example may take."""

from hypothesis import settings

# A machine that a class shares is slow at times: how long one example took says nothing here.
settings.register_profile("layerlab", deadline=None)
settings.load_profile("layerlab")
