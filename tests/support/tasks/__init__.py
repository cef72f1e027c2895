"""Small tasks by which defaults of training are chosen, and the grid that chooses them.

- ``suite``: the tasks; ``samples``: what they learn; ``task``: what a task is
- ``grid``: trains them with many settings, and writes ``results.md``
"""
