"""The signals that ask a process to stop, and how it stops where it has nothing to save.

A process that is the first one of a container (PID 1) gets none of them unless it handles them: the
kernel drops signals whose action is the default. So the command handles them from its start.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType

CTRL_C = 130
"""The exit code after Ctrl-C, which is SIGINT."""
STOPPED = 75
"""The exit code after another signal. It is EX_TEMPFAIL of BSD's sysexits.h: try again later."""

PARENT = "NETDESC_PARENT"
"""Variable of processes that a command starts. They end with it: their standard input is a pipe
that closes when it ends."""

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
STOP_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Those that this system has. Windows has the first two."""

REPEAT_S = 1.0
"""A signal that follows another within so many seconds is taken for a part of it: Ctrl-C reaches a
worker of torchrun twice, from the terminal and from torchrun."""


class Stopped(KeyboardInterrupt, SystemExit):
    """A signal other than Ctrl-C stops the process.

    It is a KeyboardInterrupt for code that cleans up after Ctrl-C. A program that does not catch it
    ends with the exit code ``STOPPED`` and without a traceback, as after SystemExit.
    """

    exit_code = STOPPED

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.code = STOPPED


def exit_code(number: int) -> int:
    """Returns the exit code of a process that the signal ``number`` stopped."""
    return CTRL_C if number == signal.SIGINT else STOPPED


def interruption(number: int) -> KeyboardInterrupt:
    """Returns the exception that ends what the signal ``number`` interrupts."""
    return KeyboardInterrupt() if number == signal.SIGINT else Stopped(number)


class Repetitions:
    """Tells signals that only repeat the one before.

    Linux sends SIGXCPU again in each second that a process computes beyond its limit.
    """

    def __init__(self) -> None:
        self._last, self._time = 0, -REPEAT_S

    def add(self, number: int, *, is_first: bool = False) -> bool:
        """Notes a signal that arrives now, and returns whether it repeats the one before.

        ``is_first`` says that it does not.
        """
        now = time.monotonic()
        is_same_xcpu = number == self._last == getattr(signal, "SIGXCPU", None)
        if not is_first and (now - self._time < REPEAT_S or is_same_xcpu):
            return True
        self._last, self._time = number, now
        return False


handled = Repetitions()
"""The signals that this process has handled so far, by any handler."""


def end_at_once(number: int, frame: FrameType | None) -> None:
    """Handles a signal where nothing is to be saved: raises ``interruption``.

    While packages load it ends the process instead. Loading may catch an exception, as torch does
    that of numpy, or lose it in a callback, and go on with half a package.
    """
    if handled.add(number):
        return
    error = interruption(number)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            with contextlib.suppress(OSError):
                os.write(2, f"{str(error) or 'interrupted'}\n".encode())
            os._exit(exit_code(number))
        frame = frame.f_back
    raise error


@contextlib.contextmanager
def ending_at_once(signals: Sequence[int] = STOP_SIGNALS[1:]) -> Iterator[None]:
    """Within the block, ``end_at_once`` handles those signals that nobody else handles.

    Signals that are ignored stay so, such as SIGHUP after ``nohup``. Nothing changes in another
    thread than the main one, where Python cannot handle signals. By default without Ctrl-C, which
    Python handles.
    """
    free = (signal.SIG_DFL, signal.default_int_handler)
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [number for number in signals if is_main and signal.getsignal(number) in free]
    previous = {number: signal.signal(number, end_at_once) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
