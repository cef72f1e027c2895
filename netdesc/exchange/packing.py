"""What netx's packing of weights into few bits is known to get wrong."""

from __future__ import annotations

from netdesc.exchange.record import Integers


def packing_fault(weight: Integers) -> str | None:
    """Why netx does not load ``weight`` as it is, or None where it does."""
    largest, smallest = int(weight.max()), int(weight.min())
    if largest == smallest == 0:
        return "all weights are 0, on which netx fails"
    if largest <= 0 and (-smallest).bit_count() == 1:
        return (
            f"no weight is above 0 and the smallest is {smallest}, a power of two; "
            "netx loads the smallest weights of such a layer at half their size or less"
        )
    return None
