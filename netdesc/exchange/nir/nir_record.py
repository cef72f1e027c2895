"""The record of a NIR file, and what netdesc writes into its metadata.

NIR (nir 1.0.8, neuroir.org) holds neurons as differential equations. It has no step, no resets but
that to a voltage, and no integers. What it cannot say is JSON in the graph's metadata ``netdesc``:

- ``format``: 1; ``name``: that of the network; ``steps``, ``step_ms``: of a sample
- ``dt``: the seconds by which the time constants are to be divided (also the graph's metadata
  ``dt``, a number)
- ``layers``: a list in the network's order. Each has ``name``, ``type`` (of the section), ``nodes``
  (those of the file, in the order in which values pass them; a recurrent layer's are the weights,
  the neurons and the recurrent weights), ``from`` (names of layers; ``input``), and where they are
  not the default: ``neuron`` (type of the section; null if it has none), ``reset`` (as in the
  document), ``axonal_delay_step`` (bool), ``delay`` (``{"steps": n}`` or ``{"learn": true}``, whose
  steps are in the file's Delay), ``bits`` (null if the weights are not quantised), ``groups`` of a
  convolution whose weights are written with zeros between the groups, ``bias`` (True if one is
  learnt), ``threshold_shift`` (number that was added to the thresholds in the file), and ``shape``
  of a reshape

Where metadata and numbers disagree, the numbers win.
"""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

FieldValue = NDArray[Any] | tuple[int, ...] | str | float

METADATA = "netdesc"
"""The key of netdesc's JSON in the metadata of a graph."""

DT = 1e-4
"""Seconds that a step takes in files, unless their metadata say otherwise. snnTorch knows no
other."""

NEVER = 2.0**60
"""A decay of 0 is a time constant of so many steps: 1 - 1/NEVER is 1 in floating point. Infinite
ones are not read by all."""


@dataclass(frozen=True, eq=False)
class NirNode:
    """A node. ``fields`` are its parameters by their names in NIR, arrays as in the file."""

    type: str
    fields: dict[str, FieldValue]


@dataclass(frozen=True, eq=False)
class NirGraph:
    """A file: ``nodes`` by their names, and ``edges`` (from, to), whose values add up."""

    nodes: dict[str, NirNode]
    edges: list[tuple[str, str]]
    metadata: dict[str, str | float] = field(default_factory=dict)
    version: str = "1.0.8"
