"""Reads JSON text: every value knows its place, and damaged text is repaired if that is plain."""
