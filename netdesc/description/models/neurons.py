"""Neuron models."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.sections import Section, field, form_tag

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

Decay = Annotated[
    Annotated[Share, Tag("<plain>")] | Annotated[tuple[Share, Share], Tag("<list>")],
    Discriminator(form_tag),
]

NEURON_EXAMPLE = {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}


class TauGradSchedule(Section):
    """A surrogate width that changes over the run."""

    type: Literal["linear", "geometric"] = field(
        "How the width changes from start to end: by equal differences (linear) or by equal ratios "
        "(geometric) from epoch to epoch.",
        example="geometric",
    )
    start: float = field("Width in the first epoch.", unit="1", gt=0, placeholder=1.0)
    end: float = field("Width in the last epoch.", unit="1", gt=0, placeholder=1.0)


TauGrad = Annotated[
    Annotated[Positive, Tag("<plain>")] | Annotated[TauGradSchedule, Tag("<object>")],
    Discriminator(form_tag),
]


class Cuba(Section):
    """Current-based leaky integrate-and-fire neuron.

    Each step the current loses the share current_decay and gains the weighted spikes, the voltage
    loses the share voltage_decay and gains the current, and a voltage above the threshold emits a
    spike and is reset to 0.
    """

    type: Literal["cuba"] = field("Current-based leaky integrate-and-fire neuron.")
    threshold: float = field(
        "Voltage above which the neuron spikes. The device holds trunc(64·threshold).",
        unit="1",
        gt=0,
        le=131072,
        placeholder=1.0,
    )
    current_decay: Decay = field(
        "Share of the current lost per step: 0 keeps it, 1 drops it at once. The device holds "
        "round(4096·decay). With per_channel also [low, high], from which each neuron draws its "
        "own.",
        unit="share per step, 0 to 1",
        placeholder=0.5,
        example=1.0,
    )
    voltage_decay: Decay = field(
        "Share of the voltage lost per step: 0 keeps it, 1 drops it at once. The device holds "
        "round(4096·decay). With per_channel also [low, high], from which each neuron draws its "
        "own.",
        unit="share per step, 0 to 1",
        placeholder=0.5,
        example=0.1,
    )
    tau_grad: TauGrad = field(
        "Width of the surrogate gradient, relative to 100·threshold; or an object that changes the "
        "width over the run.",
        unit="1",
        default=1.0,
    )
    scale_grad: float = field("Factor on the surrogate gradient.", unit="1", default=1.0, gt=0)
    norm: Literal["mean"] | None = field(
        'Normalisation of the current before it reaches the voltage: "mean" subtracts its running '
        "mean, null leaves it.",
        default=None,
        example="mean",
    )
    dropout: float = field(
        "Probability with which a neuron is silenced for a whole sample in training.",
        unit="1",
        default=0.0,
        ge=0,
        lt=1,
    )
    per_channel: bool = field(
        "True gives each neuron its own decays; with false, the neurons of a layer share them.",
        default=False,
    )
    learn: tuple[Literal["current_decay", "voltage_decay"], ...] = field(
        "Parameters of the neuron that training changes in addition to the weights.",
        default=(),
        example=["voltage_decay"],
    )
