"""The entry point of the installed program ``netdesc``, which exits fast."""

import gc
import sys
from typing import NoReturn

from netdesc.stop_signals import CTRL_C, STOP_SIGNALS, ending_at_once


def program() -> NoReturn:
    """Runs the command line, and leaves without looking for garbage."""
    gc.set_threshold(10_000)  # looks for garbage 14 times less often: packages and Numba leave none
    with ending_at_once(STOP_SIGNALS):
        try:
            from netdesc.cli.main import main  # here, because a signal may come while it loads

            main()
        except KeyboardInterrupt as error:
            sys.exit(getattr(error, "exit_code", CTRL_C))
        finally:
            # Else Python would look through all objects of torch at exit, three times. netdesc
            # leaves nothing to finalizers: it closes each file where it writes it.
            gc.freeze()


# Python 3.11 maps memory anew whenever calls cross the end of a 16 kB piece of its stack: 110,000
# times while Numba compiles. A function with a large frame gets a piece that fits all its calls.
program.__code__ = program.__code__.replace(co_stacksize=1 << 16)
