"""The ``netdesc`` command. Commands hold no logic of their own and load when they run."""

from netdesc.cli.main import main

__all__ = ["main"]
