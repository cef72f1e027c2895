"""Random changes of the inputs of training samples."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from netdesc.sections import Section, field

Steps = Annotated[int, Field(ge=1, le=1_000_000)]


class AugmentationSection(Section):
    """Base class of the random changes."""

    reach_field: ClassVar[str | None] = None
    """The field with the largest distance by which inputs move; None if they do not move."""


class TimeShift(AugmentationSection):
    """Moves a sample's inputs to earlier or later steps, all by the same number."""

    reach_field = "max_steps"

    type: Literal["time_shift"]
    max_steps: Steps = field(
        "The number of steps is drawn from -max_steps to max_steps. What leaves the sample is "
        "lost.",
        unit="steps",
        example=5,
    )


class SpatialShift(AugmentationSection):
    """Moves a sample's inputs along the last two axes of input.shape, or along its only axis."""

    reach_field = "max_pixels"

    type: Literal["spatial_shift"]
    max_pixels: int = field(
        "For each axis, the number of pixels (or neurons) is drawn from -max_pixels to max_pixels. "
        "What leaves the sample is lost.",
        unit="pixels",
        example=2,
        ge=1,
        le=1 << 20,
    )


class DropEvents(AugmentationSection):
    """Removes each event, or each value that is not 0, with the same probability."""

    type: Literal["drop_events"]
    probability: float = field(
        "Probability with which an event is removed.", unit="1", example=0.1, gt=0, lt=1
    )


class TimeJitter(AugmentationSection):
    """Moves each event, or each value that is not 0, to an earlier or later step of its own."""

    reach_field = "max_steps"

    type: Literal["time_jitter"]
    max_steps: Steps = field(
        "The number of steps is drawn from -max_steps to max_steps. What leaves the sample is "
        "lost; of values that meet, the largest magnitude stays.",
        unit="steps",
        example=1,
    )


AugmentationStep = Annotated[
    TimeShift | SpatialShift | DropEvents | TimeJitter, Field(discriminator="type")
]
Augmentation = tuple[AugmentationStep, ...]
