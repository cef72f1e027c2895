"""Neurons: from equations to what the engines compute, forward and backward."""
