"""What a network needs of the CPU engine, so that its kernels can be compiled before they run."""

from __future__ import annotations

from typing import NamedTuple


class Need(NamedTuple):
    """A part of the CPU engine (see ``cpu.precompile.PARTS``), and the part's arguments."""

    part: str
    arguments: tuple[str | int | float | bool, ...] = ()


def neuron_needs(definition: str, learn: bool, is_fused: bool, keep: bool) -> set[Need]:
    """Returns the needs of neurons: their definition as a text, and how they are computed.

    ``is_fused`` says whether they are computed with their synapses, as part of a segment, ``keep``
    whether a backward pass follows.
    """
    needs = {Need("forward", (definition, learn)), Need("segment" if is_fused else "linear")}
    if is_fused:
        needs.add(Need("forward_by_events", (definition, learn)))
    if keep:
        backward = "backward_of_layer" if is_fused else "backward"
        needs |= {Need(backward, (definition, learn))}
        needs |= set() if is_fused else {Need("linear_backward")}
    return needs
