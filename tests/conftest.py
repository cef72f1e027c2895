"""Settings of every test, made before torch or Numba is loaded."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Tests run side by side. A thread that waits for another must sleep then, not hold its processor.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# The first example of a test may compile kernels, and machines that run tests are busy.
settings.register_profile(
    "netdesc", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("netdesc")
