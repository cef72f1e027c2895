"""Weights on the grid, synaptic input from events, and the gradient of weights."""
