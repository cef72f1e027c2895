"""What a network needs of the CPU engine, so that its kernels can be compiled before they run."""

from __future__ import annotations

from typing import NamedTuple


class Need(NamedTuple):
    """A part of the CPU engine (see ``cpu.precompile.PARTS``), and the part's arguments."""

    part: str
    arguments: tuple[str | int | float | bool, ...] = ()


def neuron_needs(
    definition: str, learn: bool, synapses: str, keep: bool, is_recurrent: bool = False
) -> set[Need]:
    """Returns the needs of neurons: their definition as a text, and how they are computed.

    ``synapses`` is the part that computes what arrives, ``segment`` if it computes the neurons,
    too. ``keep`` says whether a backward pass follows, ``is_recurrent`` whether the neurons read
    their own outputs.
    """
    if synapses == "segment":
        shared = ["segment"]
        own = ["forward", "forward_by_events", *["backward_of_layer"] * keep]
    else:
        shared = [synapses, *[f"{synapses}_backward"] * keep]
        suffix = "_with_feedback" if is_recurrent else ""
        own = [f"forward{suffix}", *[f"backward{suffix}"] * keep]
    return {Need(part) for part in shared} | {Need(part, (definition, learn)) for part in own}
