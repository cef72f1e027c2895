"""Losses over time and their gradients."""
