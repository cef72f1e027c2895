"""Packed spikes and lists of spike events."""
