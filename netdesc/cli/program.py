"""The entry point of the installed program ``netdesc``, which starts and exits fast."""

from __future__ import annotations

import _thread
import gc
import sys
import threading
from typing import NoReturn

from netdesc.cli.exit_codes import INTERRUPTED

_GC_THRESHOLDS = (50_000, 10, 10)
"""Arguments of ``gc.set_threshold``.

Loading torch and Numba creates about 400,000 objects, all of which stay alive. With Python's
defaults the garbage collector traverses them repeatedly and frees nothing, which takes a tenth of
the time of a short run. Training creates no reference cycles, so it does not need the collector.
"""

_REPEAT_S = 0.01


def program() -> NoReturn:
    """Runs the command line with settings that make start and exit fast."""
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.unraisablehook = _repeat_interrupt
    try:
        from netdesc.cli.main import main  # here, because Ctrl-C may come while it loads

        main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        # Python would collect three more times at exit. netdesc leaves nothing to finalizers: it
        # closes each file where it writes it.
        gc.disable()
        gc.freeze()


def _repeat_interrupt(ignored: sys.UnraisableHookArgs) -> None:
    """Repeats a Ctrl-C that Python has lost, as in ``__del__`` or in the callback of a weak set.

    The repetition comes from a thread, a little later, because it would be lost here, too.
    """
    if isinstance(ignored.exc_value, KeyboardInterrupt):
        timer = threading.Timer(_REPEAT_S, _thread.interrupt_main)
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(ignored)
