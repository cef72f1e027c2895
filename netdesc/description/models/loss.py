"""Losses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from netdesc.sections import Section, field, type_tag

WINDOW_TEXT = (
    "Moving window: in every step, the rate over the last window_steps steps is compared with the "
    "label; steps before the sample count as silent. Null compares the rate over the whole sample."
)


class SpikeTime(Section):
    """The van Rossum distance: squared difference of filtered output and target spike trains."""

    type: Literal["spike_time"] = field(
        "Squared difference of output and target after an exponential filter (van Rossum distance)."
    )
    time_constant_ms: float = field(
        "Time constant of the exponential filter.", unit="ms", gt=0, le=1e6, placeholder=1.0
    )
    filter_order: int = field(
        "Number of exponentials that are convolved with each other.",
        unit="1",
        default=1,
        ge=1,
        le=16,
    )
    filter_steps: int = field(
        "Length of the filter, after which it is cut off.",
        unit="steps",
        default=100,
        ge=1,
        le=100_000,
    )
    reduction: Literal["sum", "mean"] = field(
        "Sum or mean over batch, neurons and steps.", default="sum"
    )


class SpikeRate(Section):
    """Squared difference of each output neuron's rate and its target rate."""

    type: Literal["spike_rate"] = field(
        "Squared difference of each output neuron's rate and its target rate."
    )
    true_rate: float = field(
        "Target rate of the label's neuron.",
        unit="spikes a step",
        default=0.2,
        ge=0,
        le=1,
    )
    false_rate: float = field(
        "Target rate of the other neurons.",
        unit="spikes a step",
        default=0.03,
        ge=0,
        le=1,
    )
    window_steps: int | None = field(
        WINDOW_TEXT, unit="steps", default=None, example=20, ge=1, le=1_000_000
    )
    reduction: Literal["sum", "mean"] = field(
        "Sum or mean over batch, neurons and, with a window, steps.", default="sum"
    )


class SpikeMax(Section):
    """Negative log likelihood of the label, given the rates of the output neurons."""

    type: Literal["spike_max"] = field(
        "Negative log likelihood of the label, given the rates of the output neurons."
    )
    mode: Literal["probability", "softmax"] = field(
        "How rates become likelihoods: each rate's share of their sum, or their softmax.",
        default="probability",
    )
    window_steps: int | None = field(
        WINDOW_TEXT, unit="steps", default=None, example=20, ge=1, le=1_000_000
    )
    reduction: Literal["sum", "mean"] = field(
        "Sum or mean over batch and, with a window, steps.", default="sum"
    )


Loss = Annotated[
    Annotated[SpikeTime, Tag("<spike_time>")]
    | Annotated[SpikeRate, Tag("<spike_rate>")]
    | Annotated[SpikeMax, Tag("<spike_max>")],
    Discriminator(type_tag),
]
