"""Ctrl-C and SIGTERM: the first asks the loop to stop after its epoch, the second quits at once."""

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
    """While entered, ``requested`` turns True at the first signal, and the next one interrupts.

    Handlers are set in the main thread only (Python allows no other) and put back on exit.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # Not through sys.stderr's buffer, which may be in the middle of a write. Where standard
        # error is closed or no file, there is nobody to tell.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.write(sys.stderr.fileno(), _NOTICE)
