"""The ``netdesc`` command line, one module for each command or group of commands.

- ``main``: runs a command; ``commands``: the table of commands, which are imported when they run
- ``output``: prints results and messages; ``failures``: turns errors into exit codes
"""
