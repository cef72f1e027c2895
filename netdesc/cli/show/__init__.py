"""``netdesc show``: shows the network of a document, a run or a ``.net`` file.

- ``command``: the command; ``overview``: the data that it prints
- ``defaults``: lines about values that the document leaves out
- ``graph_table``: the layers of a network as a table, also for other commands
"""

from netdesc.cli.show.command import show
from netdesc.cli.show.graph_table import graph_record, print_graph

__all__ = ["graph_record", "print_graph", "show"]
