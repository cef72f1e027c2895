"""Diagnostics, and their output as text, JSON and GitHub annotations."""
