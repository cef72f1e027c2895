"""Losses."""

from __future__ import annotations

from typing import Literal

from netdesc.description.models.base import Section, field


class SpikeTime(Section):
    """The van Rossum distance: squared difference of filtered output and target spike trains."""

    type: Literal["spike_time"] = field(
        "Squared difference of output and target after an exponential filter (van Rossum distance)."
    )
    time_constant_ms: float = field(
        "Time constant of the exponential filter.", unit="ms", gt=0, le=1e6, standin=1.0
    )
    filter_order: int = field(
        "How many exponentials are convolved with one another.",
        unit="1",
        default=1,
        ge=1,
        le=16,
    )
    filter_steps: int = field(
        "Steps after which the filter is cut off.", unit="steps", default=100, ge=1, le=100_000
    )
    reduction: Literal["sum", "mean"] = field(
        "Sum or mean over batch, neurons and steps.", default="sum"
    )
