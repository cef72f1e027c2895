"""The exit codes that mean something; 0 is fine and click itself uses 2 for usage."""

AT_FAULT = 1
"""The document or file is at fault."""
USAGE = 2
ENVIRONMENT = 3
"""Missing data, or the machine lacks something."""
BUG = 70
INTERRUPTED = 130
