"""What a layer of synapses reads: its input's events or, where these do not pay, all of it.

Where spikes are counted, a 3 is three events; with large counts events do not pay. They are lists.
Those of an input that is wide, for the neurons that there are, would be larger than all else: it is
a bit for each value then, or some where they are counted, though a walk may take a half longer.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from netdesc.kernels.cpu import bit_rows
from netdesc.kernels.cpu.arrays import array_of, rows_of
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.events import EventLists, count, list_bytes
from netdesc.kernels.cpu.spike_rows import SpikeRows
from netdesc.kernels.cpu.trains import SpikeSum
from netdesc.kernels.spike_words import FEW_DIGITS, SpikeWords

EVENT_DENSITY = 0.4
"""Events by inputs and steps up to which adding rows by them is faster than the product.

Measured on a Xeon with AVX-512, where the product is fastest: both took the same time from 0.33 to
0.65, for layers of 200 to 2,048 inputs and 64 to 512 neurons.
"""

Dense = SpikeRows | np.ndarray
"""What the product reads: rows [steps · batch, inputs] of spikes or of floats."""

Source = Events | Dense


def source_of(signal_TBI: torch.Tensor, room: float) -> Source:
    """The events of an input where they pay, else its rows.

    They are lists unless these would take more than ``room`` bytes, and bits would take less.
    """
    rows = rows_of(signal_TBI)
    spikes = count(rows)  # or more, where some are counted
    if spikes > EVENT_DENSITY * rows.size:
        return rows
    lists, bits = list_bytes(spikes, *rows.shape), bit_rows.bytes_of(*rows.shape)
    if lists > max(room, bits):
        words = bit_rows.words_of(array_of(signal_TBI))
        return rows if words is None else source_of_words(words, room)
    events = EventLists(rows, EVENT_DENSITY)
    return events.events(signal_TBI.shape[1]) if events.pays else rows


def source_of_words(given: SpikeWords, room: float) -> Source:
    """The same of words."""
    counts = bit_rows.counts_of(given)
    spikes = int(counts.sum())
    is_dense = spikes > EVENT_DENSITY * given.rows * given.columns
    if is_dense or len(given.words) > FEW_DIGITS:
        return bit_rows.dense_rows(given)
    if list_bytes(spikes, given.rows, given.columns) > max(room, given.words.nbytes):
        return bit_rows.events_of_words(given)
    return EventLists.of_words(given, counts).events(given.shape[1])


def source_of_sum(given: SpikeSum, spikes: int) -> Source:
    """The same of spikes that are added up, cell by cell, with so many among them."""
    is_dense = spikes > EVENT_DENSITY * math.prod(given.shape)
    return given.rows if is_dense or len(given.digits) > FEW_DIGITS else given.events(spikes)


def part_of(source: Dense, first: int, last: int) -> Dense:
    """Its rows from one to before another."""
    return source[first:last] if isinstance(source, np.ndarray) else source.part(first, last)
