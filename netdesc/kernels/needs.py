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
    if is_fused:
        shared = ["segment"]
        own = ["forward", "forward_by_events", *["backward_of_layer"] * keep]
    else:
        shared = ["linear", *["linear_backward"] * keep]
        own = ["forward", *["backward"] * keep]
    return {Need(part) for part in shared} | {Need(part, (definition, learn)) for part in own}
