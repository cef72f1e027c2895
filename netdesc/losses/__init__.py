"""Losses: from output spikes and targets to a number to minimise."""

from netdesc.losses.spike_time import SpikeTime, build_loss

__all__ = ["SpikeTime", "build_loss"]
