"""Losses over time and their gradients: van Rossum distance and moving windows."""
