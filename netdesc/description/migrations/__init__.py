"""Documents of older formats become ones of the present format, a step at a time.

A step leads from one format to the next and has a file of its own, named after the format from
which it starts. ``STEPS`` lists the steps by that format.
"""

from netdesc.description.migrations.chain import STEPS, Migrated, is_older, migrated
from netdesc.description.migrations.step import Step

__all__ = ["STEPS", "Migrated", "Step", "is_older", "migrated"]
