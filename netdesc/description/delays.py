"""Counts the steps by which layers delay a spike on its way to the output."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netdesc.description.diagnostics.wording import amount
from netdesc.description.models import Layer
from netdesc.description.shapes import INPUT


def output_delay(layers: Iterable[tuple[Layer, Sequence[str]]]) -> int:
    """Returns the steps after which a spike of the input can first reach the output.

    This is the number of delays on the path with the fewest. Each layer comes with the names of its
    sources, and after these. A source that is not known has no delay.
    """
    delays, delay = {INPUT: 0}, 0
    for layer, sources in layers:
        delay = min(delays.get(source, 0) for source in sources)
        delay += bool(getattr(layer, "axonal_delay_step", False))
        delays[layer.name] = delay
    return delay


def describe_late_output(delay: int, steps: int) -> str | None:
    """Returns a sentence if a sample of ``steps`` ends before a spike can reach the output."""
    if delay < steps:
        return None
    delayed, length = amount(delay, "step"), amount(steps, "step")
    return (
        f"no spike of the input reaches the output: the layers delay it by {delayed}, and a sample "
        f"has {length}"
    )
