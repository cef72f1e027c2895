"""The command as a process: loading and leaving take it as little time as they can."""

from __future__ import annotations

import gc
from typing import NoReturn

from netdesc.cli.main import main

_THRESHOLDS = (50_000, 10, 10)
"""Objects, then collections of the younger generation, before garbage in cycles is looked for.

Loading torch and Numba makes some 400,000 objects that all stay. With Python's own figures the
collector goes through them again and again and finds nothing, for a tenth of a short run's time.
Training makes no cycles, so what it holds does not wait for the collector.
"""


def program() -> NoReturn:
    """Run the command line in a process of its own and exit."""
    gc.set_threshold(*_THRESHOLDS)
    try:
        main()
    finally:
        # On its way out Python collects three times more. Nothing that netdesc must do is left to
        # finalizers: files are closed where they are written.
        gc.disable()
        gc.freeze()
