"""Sections of the common fields of layers with synapses."""

import math
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.description.models.data import PathText, Sha256, path_field, sha256_field
from netdesc.sections import Section, field

MAX_DELAY = 62
"""The longest delay of the device, in steps."""

Steps = Annotated[float, Field(ge=0, le=MAX_DELAY)]

AUTO = "auto"
"""The scale of weights that is found with the first training batch."""

WeightScale = Annotated[
    Annotated[float, Field(gt=0, le=1e6), Tag("<plain>")]
    | Annotated[Literal["auto"], Tag("<text>")],
    Discriminator(lambda value: "<text>" if isinstance(value, str) else "<plain>"),
]


class Quantization(Section):
    """The grid of weights: multiples of 2·range/2^bits from -range to below range.

    With 8 bits these are all weights of the device, 2·round(32·w) from -256 to 254.
    """

    bits: int = field("Bits of a weight.", unit="bit", default=8, ge=2, le=8)
    range: float = field(
        "Largest magnitude of a weight, a power of two from 2^bits/64 to 4.",
        unit="1",
        default=4.0,
        gt=0,
        le=4,
    )

    @property
    def scale(self) -> float:
        """The step in units of the device's, 1/32."""
        return self.range * 64 / 2**self.bits


class AxonalDelay(Section):
    """Whole steps by which the output of a layer comes later, beside the axonal step."""

    steps: int | None = field(
        "Delay of all neurons; null if it is learnt.",
        unit="steps",
        default=None,
        ge=0,
        le=MAX_DELAY,
        example=3,
    )
    learn: bool = field(
        "True learns a delay for each neuron, in layers with a kernel for each channel; the output "
        "comes later by its whole steps.",
        default=False,
    )
    max_steps: int = field(
        "Longest learnt delay.", unit="steps", default=MAX_DELAY, ge=1, le=MAX_DELAY
    )
    initial_steps: tuple[Steps, Steps] = field(
        "Range [low, high] from which learnt delays are drawn.", unit="steps", default=(0.0, 1.0)
    )

    @property
    def fewest(self) -> int:
        """The steps by which the output comes later at least, before training."""
        return math.floor(self.initial_steps[0]) if self.steps is None else self.steps

    @property
    def most(self) -> int:
        """The steps by which the output can come later."""
        return self.max_steps if self.steps is None else self.steps


class Mask(Section):
    """The weights that exist; all others are 0, in training and on the device."""

    path: PathText | None = path_field(
        "File of an array of the shape of the weights, .npy or .npz; weights exist where it is not "
        "0.",
        default=None,
        example="mask.npy",
    )
    sha256: Sha256 | None = sha256_field()
    array: str = field("Name of the array in an .npz file.", default="mask")
    density: float | None = field(
        "Share of the weights that exist, drawn at random; null with a file.",
        unit="1",
        default=None,
        gt=0,
        le=1,
        example=0.1,
    )
    seed: int = field("Seed of the drawing.", default=0, ge=0, le=(1 << 63) - 1)

    def idle_reasons(self) -> dict[str, str]:
        return {} if self.path is None else {"density": "the mask is in a file"}

    def missing_fields(self) -> dict[str, str]:
        is_missing = self.path is None and self.density is None
        return {"density": "a mask has a file or a density"} if is_missing else {}

    @property
    def name(self) -> str:
        """The name of the array in its file."""
        path = PurePath(self.path or "")
        return path.stem if path.suffix.lower() == ".npy" else self.array
