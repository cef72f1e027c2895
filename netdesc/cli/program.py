"""The entry point of the installed program ``netdesc``, which exits fast."""

import contextlib
import gc
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from netdesc.cli import INTERRUPTED


def program() -> NoReturn:
    """Runs the command line, and leaves without looking for garbage."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    gc.set_threshold(10_000)  # looks for garbage 14 times less often: packages and Numba leave none
    try:
        from netdesc.cli.main import main  # here, because Ctrl-C may come while it loads

        main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        # Else Python would look through all objects of torch at exit, three times. netdesc leaves
        # nothing to finalizers: it closes each file where it writes it.
        gc.freeze()


# Python 3.11 maps memory anew whenever calls cross the end of a 16 kB piece of its stack: 110,000
# times while Numba compiles. A function with a large frame gets a piece that fits all its calls.
program.__code__ = program.__code__.replace(co_stacksize=1 << 16)


def _interrupt(_number: int, frame: FrameType | None) -> None:
    """Handles Ctrl-C: ends the process while packages load, else raises KeyboardInterrupt.

    Loading may catch an exception, as torch does that of numpy, or lose it in a callback, and go on
    with half a package. There is nothing to save at this time.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            with contextlib.suppress(OSError):
                os.write(2, b"interrupted\n")
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt
