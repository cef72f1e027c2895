"""The ``netdesc`` command line, one module for each command or group of commands.

- ``main``: the table of commands; ``lazy_group``: imports a command's module when it runs
- ``output``: what goes to standard output and standard error; ``failures``: errors to exit codes
"""

from netdesc.cli.main import main

__all__ = ["main"]
