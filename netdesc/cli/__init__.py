"""The ``netdesc`` command line, one module for each command or group of commands.

- ``main``: the table of commands; ``lazy_group``: imports a command's module when it runs
- ``output``: prints results and messages; ``failures``: turns errors into exit codes
"""
