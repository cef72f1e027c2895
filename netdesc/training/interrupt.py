"""Handles the signals that ask a training to stop.

The first signal only sets a number, because Python runs a signal's handler anywhere. An exception
raised in the ``__del__`` of an object is printed and lost, and one raised between taking and
releasing a lock, as in llvmlite, leaves the lock taken. So training and the compilation of kernels
look at the number where they can end. The second signal raises an exception, so that a training
that hangs can be ended.
"""

import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from netdesc.stop_signals import STOP_SIGNALS, handled, interruption


class Interrupted(Exception):
    """The signal ``number`` has stopped training, which can go on from its checkpoint."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StopRequest:
    """Within the block, the first signal sets ``signal``, the next signal raises an exception.

    The exception is a KeyboardInterrupt. A signal that repeats the first within a second is no
    second one. Handlers are set only in the main thread, as Python requires, and the old handlers
    are restored on exit. SIGHUP stays ignored if it is, as after ``nohup``.
    """

    def __init__(self, *, is_silent: bool = False) -> None:
        self._is_silent = is_silent
        self.signal = 0
        """The number of the last signal; 0 if none has arrived."""
        self.is_training = False
        """Whether the first epoch has begun, so that a request ends training after a batch."""
        self._previous: dict[int, Any] = {}

    def check(self) -> None:
        """Raises KeyboardInterrupt if an end is requested."""
        if self.signal:
            raise interruption(self.signal)

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in STOP_SIGNALS:
                handler = signal.getsignal(number)
                if handler != signal.SIG_IGN or number in (signal.SIGINT, signal.SIGTERM):
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        is_first = not self.signal
        if handled.add(number, is_first=is_first):
            return
        self.signal = number
        if not is_first:
            raise interruption(number)
        if self._is_silent:
            return
        when = " after this batch" if self.is_training else ""
        notice = f"\nStopping{when}; once more quits at once.\n"
        # sys.stderr is avoided, because the signal may have interrupted a write to its buffer. If
        # standard error is closed or is not a file, os.write fails and the notice is dropped.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.write(sys.stderr.fileno(), notice.encode())
