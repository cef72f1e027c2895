"""What two documents, locks or runs have in common and what not, by meaning rather than by text."""

from netdesc.comparing.comparison import Comparison, compare
from netdesc.comparing.side import Side, read_side

__all__ = ["Comparison", "Side", "compare", "read_side"]
