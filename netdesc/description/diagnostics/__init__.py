"""Diagnostics, and their output as text, JSON, SARIF and GitHub annotations."""
