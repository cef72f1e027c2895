"""Classifiers, which turn output spikes into a class."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from netdesc.sections import Section, field


class RateClassifier(Section):
    """The class whose neuron spikes most in the whole sample."""

    window_steps: ClassVar[None] = None

    type: Literal["rate"]


class MovingWindowClassifier(Section):
    """The class of a step is the neuron that spiked most in the last window_steps steps. If a
    sample has one label, its class is the most frequent class of its steps; silent steps are not
    counted.
    """

    type: Literal["moving_window"]
    window_steps: int = field(
        "Number of steps of the window.", unit="steps", ge=1, le=1_000_000, example=10
    )


Classifier = Annotated[RateClassifier | MovingWindowClassifier, Field(discriminator="type")]
