"""The forward and backward time loops of neurons, and the passes of one layer."""
