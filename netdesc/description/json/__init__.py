"""Reads JSON text with the position of every value, or finds its first error."""
