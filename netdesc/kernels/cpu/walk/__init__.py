"""The time loops of neurons, forward and backward, and the passes of one layer."""
