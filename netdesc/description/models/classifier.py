"""Classifiers, which turn output spikes into a class."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from netdesc.sections import Section, field, type_tag


class RateClassifier(Section):
    """The class whose neuron spikes most in the whole sample."""

    type: Literal["rate"] = field("The class whose neuron spikes most in the whole sample.")


class MovingWindowClassifier(Section):
    """In every step the class whose neuron spiked most in the last window_steps steps.

    Where a sample has one label, its class is that of most steps; silent steps have no say.
    """

    type: Literal["moving_window"] = field(
        "In every step the class whose neuron spiked most in the last window_steps steps. Where a "
        "sample has one label, its class is that of most steps; silent steps have no say."
    )
    window_steps: int = field(
        "Steps of the window.", unit="steps", ge=1, le=1_000_000, placeholder=1, example=10
    )


Classifier = Annotated[
    Annotated[RateClassifier, Tag("<rate>")]
    | Annotated[MovingWindowClassifier, Tag("<moving_window>")],
    Discriminator(type_tag),
]
