"""Losses."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Tag

from netdesc.sections import Section, field, type_tag

WINDOW_TEXT = (
    "Moving window: in every step, the rate over the last window_steps steps is compared with the "
    "label; steps before the sample count as silent. Null compares the rate over the whole sample."
)


class LossSection(Section):
    """Base class of the losses."""

    learns_from: ClassVar[Literal["labels", "target spikes", "target values"]] = "labels"
    """What a sample has for the loss, beside its input."""


def window_steps(loss: LossSection) -> int | None:
    """Returns the length of a loss's moving window; None if it has none."""
    return getattr(loss, "window_steps", None)


class SpikeTime(LossSection):
    """The van Rossum distance: squared difference of filtered output and target spike trains."""

    learns_from = "target spikes"

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


class SpikeRate(LossSection):
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


class SpikeMax(LossSection):
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


class MeanSquaredError(LossSection):
    """Squared difference of the output and target values."""

    learns_from = "target values"

    type: Literal["mean_squared_error"] = field(
        "Squared difference of the output and target values."
    )
    over: Literal["each_step", "mean", "sum", "max", "last"] = field(
        "What of the output is compared: the output of each step, or one value a sample, which is "
        "the mean, the sum or the largest of its steps, or the last.",
        default="each_step",
    )
    skip_steps: int = field(
        "Number of steps at the start of a sample that do not count.",
        unit="steps",
        default=0,
        example=10,
        ge=0,
        le=1_000_000,
    )
    reduction: Literal["sum", "mean"] = field(
        "Sum or mean over batch, neurons and, for each_step, steps.", default="mean"
    )


Loss = Annotated[
    Annotated[SpikeTime, Tag("<spike_time>")]
    | Annotated[SpikeRate, Tag("<spike_rate>")]
    | Annotated[SpikeMax, Tag("<spike_max>")]
    | Annotated[MeanSquaredError, Tag("<mean_squared_error>")],
    Discriminator(type_tag),
]
