"""Handles Ctrl-C and SIGTERM.

The first signal ends training after the current epoch, the second at once. Before the first epoch,
the first signal ends it at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

_NOTICE = b"\nStopping after this epoch; once more quits at once.\n"


class StopRequest:
    """Within the block, the first signal sets ``requested``, the next signal raises an exception.

    The exception is KeyboardInterrupt. Unless ``waits_for_epoch``, the first signal raises it, as
    there is no epoch to wait for. Handlers are set only in the main thread, as Python requires, and
    the old handlers are restored on exit.
    """

    def __init__(self) -> None:
        self.requested = False
        self.waits_for_epoch = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested or not self.waits_for_epoch:
            raise KeyboardInterrupt
        self.requested = True
        # sys.stderr is avoided, because the signal may have interrupted a write to its buffer. If
        # standard error is closed or is not a file, os.write fails and the notice is dropped.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.write(sys.stderr.fileno(), _NOTICE)
