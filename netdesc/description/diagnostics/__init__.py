"""Diagnostics, and the forms in which they are printed."""
