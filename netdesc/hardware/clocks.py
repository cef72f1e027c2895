"""Steps on Lava: how many it is behind training in each layer, and when it resets neurons.

Lava computes each layer with synapses one step after the layer before. In training the axonal step
of spikes takes this time, but no step passes in front of the first layer. All neurons of Lava begin
in its step 0, so that the biases of a layer act before the input reaches it.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from netdesc.graph import INPUT, Graph, SynapticNode
from netdesc.hardware.integers import HardwareError

Timing = Literal["training", "lava"]
"""Whether biases begin to act with the input, or as on Lava."""

MAX_STEP = 1 << 40
"""Largest interval of resets."""


@dataclass(frozen=True)
class Resets:
    """When states of neurons are set to 0, as netx does with these two numbers.

    In the n-th layer of neurons, from 0, this happens before each step t of Lava, from 0, with
    (t + 1) mod ``interval`` = (``offset`` + 1 + n) mod ``interval``. By default, ``offset`` is 0
    if the first layer has input neurons, otherwise 1; samples of ``interval`` steps then begin with
    states that are 0 in all layers. ValueError if ``interval`` is not 1 to ``MAX_STEP``, or
    ``offset`` not 0 to ``interval`` - 1.
    """

    interval: int | None = None
    offset: int | None = None

    def __post_init__(self) -> None:
        interval, offset = self.interval, self.offset
        if interval is not None and not 1 <= interval <= MAX_STEP:
            raise ValueError(f"the reset interval is {interval}; it is 1 to {MAX_STEP:,}")
        if offset is None:
            return
        if interval is None:
            raise ValueError("a reset offset needs a reset interval")
        if not 0 <= offset < interval:
            known = f"with a reset interval of {interval:,} it is 0 to {interval - 1:,}"
            raise ValueError(f"the reset offset is {offset}; {known}")


class Clock:
    """The steps of one layer of neurons.

    ``silent_steps`` is the number of steps before the input that its neurons compute; None if they
    begin with the input.
    """

    def __init__(self, lag: int, timing: Timing, resets: Resets, phase: int) -> None:
        """``lag`` is Lava's step less that of training."""
        self.silent_steps = lag if timing == "lava" else None
        self._next = 0 if timing == "lava" else lag
        self._interval, self._phase = resets.interval, phase

    def next_resets(self, steps: int) -> NDArray[np.bool_]:
        """Returns before which of the next ``steps`` the states are set to 0."""
        first, self._next = self._next, self._next + steps
        if self._interval is None:
            return np.zeros(steps, np.bool_)
        return (np.arange(first, first + steps) - self._phase) % self._interval == 0


def make_clocks(graph: Graph, timing: Timing, resets: Resets) -> dict[str, Clock]:
    """Returns the clock of each layer of neurons by its name.

    Raises HardwareError if Lava's steps are wanted and a layer has other steps than its input,
    ValueError if ``timing`` is unknown.
    """
    if timing not in get_args(Timing):
        known = ", ".join(get_args(Timing))
        raise ValueError(f'the timing "{timing}" is unknown; known are {known}')
    lags, depths, clocks = {INPUT: 0}, {INPUT: 0}, dict[str, Clock]()
    offset = resets.offset
    if offset is None and graph.neuron_layers:
        offset = int(not graph.neuron_layers[0].section.is_elementwise)
    for layer in graph.layers:
        lag = max(lags[name] for name in layer.inputs)
        depth = max(depths[name] for name in layer.inputs)
        if timing == "lava" and layer.section.decimation != 1:
            problem = f'layer "{layer.name}" averages steps, which Lava does not'
            raise HardwareError(f'{problem}: use the timing "training"')
        if isinstance(layer, SynapticNode):
            lag += not layer.section.is_elementwise  # whose synapses take a step
            clocks[layer.name] = Clock(lag, timing, resets, (offset or 0) + depth)
            depth += 1
        lags[layer.name], depths[layer.name] = lag - layer.delay, depth
    return clocks
