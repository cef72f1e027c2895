"""Handles Ctrl-C and SIGTERM.

The first signal only sets a flag, because Python runs a signal's handler anywhere. An exception
raised in the ``__del__`` of an object is printed and lost, and one raised between taking and
releasing a lock, as in llvmlite, leaves the lock taken. So training and the compilation of kernels
look at the flag where they can end. The second signal raises an exception, so that a training that
hangs can be ended.
"""

import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any


class StopRequest:
    """Within the block, the first signal sets ``requested``, the next signal raises an exception.

    The exception is KeyboardInterrupt. Handlers are set only in the main thread, as Python
    requires, and the old handlers are restored on exit.
    """

    def __init__(self) -> None:
        self.requested = False
        self.is_training = False
        """Whether the first epoch has begun, so that a request ends training after an epoch."""
        self._previous: dict[int, Any] = {}

    def check(self) -> None:
        """Raises KeyboardInterrupt if an end is requested."""
        if self.requested:
            raise KeyboardInterrupt

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        when = " after this epoch" if self.is_training else ""
        notice = f"\nStopping{when}; once more quits at once.\n"
        # sys.stderr is avoided, because the signal may have interrupted a write to its buffer. If
        # standard error is closed or is not a file, os.write fails and the notice is dropped.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.write(sys.stderr.fileno(), notice.encode())
