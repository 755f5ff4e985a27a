"""For all tests: how long a drawn example may take, and servers for those that need one."""

import os

os.environ["LAYERLAB_CHECK_LOCKS"] = "1"  # before anything of webapp is imported

from hypothesis import settings

from tests.servers import browser, lab, make_lab, open_page, page  # noqa: F401 - fixtures

# A machine that a class shares is slow at times: how long one example took says nothing here.
settings.register_profile("layerlab", deadline=None)
settings.load_profile("layerlab")
