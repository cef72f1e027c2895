"""Quantised weights, synaptic input from events, and the gradient of weights."""
