"""Exit codes of the command line. 0 is success; click itself ends with 2 for wrong usage."""

INVALID_INPUT = 1
"""A document or another input file is wrong."""
USAGE = 2
ENVIRONMENT = 3
"""A file is missing, or the machine lacks something."""
BUG = 70
INTERRUPTED = 130
