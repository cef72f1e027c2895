"""``netdesc show``: what a document, a run or a ``.net`` file describes.

- ``command``: the command; ``overview``: what it prints; ``defaults``: what was left out, in words
- ``graph_table``: a network's layers as a table, for other commands, too
"""

from netdesc.cli.show.command import show
from netdesc.cli.show.graph_table import graph_record, print_graph

__all__ = ["graph_record", "print_graph", "show"]
