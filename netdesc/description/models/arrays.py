"""Data as arrays: an .npz file with many samples, and the encoding of its values as spikes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.description.models.data import SHA256_EXAMPLE, PathText, Sha256
from netdesc.sections import Section, field, type_tag

Member = Annotated[str, Field(min_length=1, max_length=200)]


class SpikesEncoding(Section):
    """The inputs are spikes already: 0 or 1 in every step."""

    type: Literal["spikes"] = field("The inputs are spikes already: 0 or 1 in every step.")


class RateEncoding(Section):
    """A value is the probability of a spike in each step, drawn anew in every epoch."""

    type: Literal["rate"] = field(
        "A value is the probability of a spike in each step, drawn anew in every epoch."
    )
    max_rate: float = field(
        "Probability of a spike in a step for the high end of the range.",
        unit="1",
        default=1.0,
        gt=0,
        le=1,
    )


class LatencyEncoding(Section):
    """Each value gives one spike, which is earlier for a larger value."""

    type: Literal["latency"] = field(
        "Each value gives one spike, which is earlier for a larger value."
    )
    silent_below: float = field(
        "Values up to this one give no spike. 0 is the low end of the range, 1 the high end.",
        unit="1",
        default=0.0,
        ge=0,
        lt=1,
    )
    within_steps: int | None = field(
        "Number of steps, from the first one, in which the spikes lie; null takes time.steps.",
        unit="steps",
        default=None,
        example=50,
        ge=1,
        le=1_000_000,
    )


Encoding = Annotated[
    Annotated[SpikesEncoding, Tag("<spikes>")]
    | Annotated[RateEncoding, Tag("<rate>")]
    | Annotated[LatencyEncoding, Tag("<latency>")],
    Discriminator(type_tag),
]


class Arrays(Section):
    """Labelled samples in one .npz file."""

    type: Literal["arrays"] = field("Labelled samples in one .npz file.")
    path: PathText = field(
        "File of arrays: .npz, without pickles. Relative to the JSON file, and to the working "
        "directory in --set.",
        example="samples.npz",
        is_path=True,
    )
    sha256: Sha256 | None = field(
        "SHA-256 that the file must have, 64 lower-case hexadecimal digits.",
        default=None,
        example=SHA256_EXAMPLE,
    )
    inputs: Member = field(
        "Array of the inputs: spikes [samples, steps, *input.shape], or values "
        "[samples, *input.shape].",
        default="inputs",
    )
    labels: Member = field(
        "Array of the labels, integers from 0: [samples], or [samples, steps] for labels of steps.",
        default="labels",
    )
    split: Member | None = field(
        "Array that gives the part of each sample, [samples]: 0 training, 1 validation, 2 test. "
        "Null trains on all samples.",
        default=None,
        example="split",
    )
    range: tuple[float, float] = field(
        "Lowest and highest possible value, which become 0 and 1. A value outside is an error.",
        unit="of the values",
        default=(0.0, 1.0),
        example=[0, 255],
    )
    encoding: Encoding = field(
        "How the inputs become spikes.",
        default=SpikesEncoding(type="spikes"),
        example={"type": "rate"},
    )
