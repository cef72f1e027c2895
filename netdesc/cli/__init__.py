"""The ``netdesc`` command line, one module for each command or group of commands.

- ``main``: runs a command; ``commands``: the table of commands, which are imported when they run
- ``output``: prints results and messages; ``failures``: turns errors into exit codes
"""

INVALID_INPUT = 1
"""The exit code where a document or another input file is wrong."""
USAGE = 2
ENVIRONMENT = 3
"""The exit code where a file is missing, or the machine lacks something."""
BUG = 70
INTERRUPTED = 130
