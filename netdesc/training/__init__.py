"""Training: from a description to a run directory that holds everything about the run.

- ``train``: what the commands and users call; ``loop`` is the loop itself
- ``Run``: how it ended; ``TrainingError`` and its kinds: what the user can mend
"""

from netdesc.training.errors import DataError, TrainingError
from netdesc.training.session import Run
from netdesc.training.train import train

__all__ = ["DataError", "Run", "TrainingError", "train"]
