"""Compares the meaning of two documents, locks or runs, not their text."""

from netdesc.comparing.diff import Comparison, Difference, compare
from netdesc.comparing.operand import Operand, read_operand

__all__ = ["Comparison", "Difference", "Operand", "compare", "read_operand"]
