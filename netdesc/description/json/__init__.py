"""Reads JSON text with the position of every value, and repairs damaged text."""
