"""Losses over time and their gradients: the van Rossum distance."""
