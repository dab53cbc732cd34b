"""What every test stands on: a home of its own, then Django's settings, then the fixtures that all parts share.

The order matters. Settings read CHAD_HOME as they are loaded, so that a test never sees the developer's `var/`;
that is why pytest-django is not told the settings' name in pyproject.toml, which it would load before this file.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from hypothesis import settings

from chad_site.tests import own_home

own_home.make()
# Tests are small, and run side by side: more threads in each would only wait for each other.
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
own_home.set_up_django()

# A slow machine is no failure.
settings.register_profile("chad", deadline=None)
settings.load_profile("chad")

pytest_plugins = (
    "chad_site.tests.services",
    "chad_site.tests.browser",
    "chad_site.tests.nothing_skipped",
    "chad_site.tests.limits",
    "chad_site.tests.latecomers",
    "chad_site.tests.side_by_side",
)
