"""Arrays of samples, in .npz and idx files, and the encoding of their values as inputs."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from netdesc.description.models.augmentation import Augmentation
from netdesc.description.models.data import PARTS, Pair, PathText, Sha256, path_field, sha256_field
from netdesc.description.models.loss import LearnsFrom
from netdesc.sections import Section, field

MAX_REAL_INPUT = 512
"""Real-valued inputs beyond this magnitude are cut off, so that weights times inputs are exact."""

NETWORK_INPUTS = "inputs"
"""The value of ``targets`` that stands for what enters the network, as an autoencoder has it."""

Scaled = Annotated[float, Field(ge=-MAX_REAL_INPUT, le=MAX_REAL_INPUT)]
Member = Annotated[str, Field(min_length=1, max_length=200)]

LEARNT_FROM: dict[str, tuple[LearnsFrom, ...]] = {
    "labels": ("labels",),
    "multi_hot": ("multi-hot labels",),
    "targets": ("target values", "target spikes"),
}
"""Maps the fields of data that name arrays of labels or targets to what losses learn from."""


class EncodingSection(Section):
    """Base class of the encodings."""

    file_axes: ClassVar[tuple[str, ...]] = ("samples",)
    """The axes of the array of inputs that come before the axes of the input's shape."""
    is_real: ClassVar[bool] = False
    """Whether values are taken as they are unless ``range`` or ``to`` scales them."""
    largest: ClassVar[float] = math.inf
    """Inputs beyond this magnitude are cut off."""

    @property
    def spread_steps(self) -> int | None:
        """The number of steps over which the spikes of a value may spread; None if all."""
        return None


class SpikesEncoding(EncodingSection):
    """The inputs are spikes already: 0 or 1 in every step."""

    file_axes = ("samples", "steps")

    type: Literal["spikes"]


class RateEncoding(EncodingSection):
    """A value is the probability of a spike in each step, drawn anew in every epoch."""

    type: Literal["rate"]
    max_rate: float = field(
        "Probability of a spike in a step for the high end of the range.",
        unit="1",
        default=1.0,
        gt=0,
        le=1,
    )


class LatencyEncoding(EncodingSection):
    """Each value gives one spike, which is earlier for a larger value."""

    type: Literal["latency"]
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

    @property
    def spread_steps(self) -> int | None:
        return self.within_steps


class ConstantEncoding(EncodingSection):
    """A value arrives in every step, rounded to a multiple of 1/64."""

    is_real = True
    largest = MAX_REAL_INPUT

    type: Literal["constant"]


class SeriesEncoding(EncodingSection):
    """Each step has its own values, which arrive rounded to multiples of 1/64."""

    file_axes = ("samples", "steps")
    is_real = True
    largest = MAX_REAL_INPUT

    type: Literal["series"]


class DeltaEncoding(EncodingSection):
    """A spike in each step in which a value has risen by a threshold since the step before."""

    file_axes = ("samples", "steps")
    is_real = True

    type: Literal["delta"]
    threshold: float = field(
        "Smallest rise that gives a spike. The value before the first step is 0.",
        unit="of the values, after range and to",
        default=0.1,
        gt=0,
        le=1e9,
    )
    off_spikes: bool = field(
        "Whether a fall by the threshold gives a spike of size -1. If not, it gives none.",
        default=False,
    )


_OfOneValue = RateEncoding | LatencyEncoding | ConstantEncoding
ValueEncoding = Annotated[_OfOneValue, Field(discriminator="type")]
Encoding = Annotated[
    SpikesEncoding | _OfOneValue | SeriesEncoding | DeltaEncoding, Field(discriminator="type")
]

DATA_EXAMPLE = (
    '"data": {"type": "arrays", "path": "samples.npz", "inputs": "inputs", "labels": "labels"}; if '
    'the loss compares spikes or values, with "targets" in place of "labels"'
)
"""What a message shows of data that a document lacks."""


def to_field() -> Any:
    return field(
        "What the low and the high end of range become. The encodings rate and latency need "
        "numbers from 0 to 1.",
        unit="1",
        default=(0.0, 1.0),
        example=[-1, 1],
    )


_HELD_OUT = {
    "validation": "The validation samples, which choose the best weights and are never trained on.",
    "test": "The test samples, which only evaluate measures.",
}


def held_out_field(part: str, example: Any, more: str = "", default: Any = None) -> Any:
    """Returns the field of the validation or test samples; ``more`` is added to its text."""
    return field(_HELD_OUT[part] + more, default=default, example=example)


class DataSection(Section):
    """Base class of the types of data."""

    is_shared = True

    augmentation: Augmentation = field(
        "Random changes of the inputs of training samples, one after the other, drawn anew in "
        "every epoch from training.seed. Labels and targets stay.",
        default=(),
        example=[{"type": "time_shift", "max_steps": 5}],
        max_length=100,
    )

    @property
    def pairs(self) -> dict[str, tuple[Pair, ...]]:
        """The samples of each part that the document lists one by one."""
        return {}

    @property
    def as_arrays(self) -> "Arrays | None":
        """This section if the samples are in one file of arrays."""
        return None

    @property
    def train_arrays(self) -> "Arrays | None":
        """How the values of training samples become inputs; None if the samples are events."""
        return self.as_arrays

    @property
    def goal(self) -> tuple[str, str]:
        """The field by which samples say what the network should give, a key of ``LEARNT_FROM``,
        and the name of its array.
        """
        return "labels", "labels"


class Arrays(DataSection):
    """Samples with labels or targets in one .npz file."""

    type: Literal["arrays"]
    path: PathText = path_field(
        "File of arrays without pickles: .npz, or a folder with an .npy file for each array. "
        "Arrays of more than 64 MiB are read batch by batch unless they are compressed.",
        example="samples.npz",
    )
    sha256: Sha256 | None = sha256_field()
    inputs: Member = field(
        "Array of the inputs: spikes or a series [samples, steps, *input.shape], or values "
        "[samples, *input.shape].",
        default="inputs",
    )
    labels: Member = field(
        "Array of the labels, integers from 0: [samples], or [samples, steps] for labels of steps.",
        default="labels",
    )
    targets: Member | None = field(
        "Array of what the output should be: for mean_squared_error values [samples, *output "
        "shape], or [samples, steps, *output shape] for values of steps; for spike_time spikes "
        '[samples, steps, *output shape]. "inputs" stands for what enters the network in each step '
        "(an autoencoder), whatever the name of that array. Labels are then not read.",
        default=None,
        example="targets",
    )
    multi_hot: Member | None = field(
        "Array of labels of which a sample may have several, for spike_moid: [samples, *output "
        "shape], or [samples, steps, *output shape] for labels of steps, of 0 and 1. labels is "
        "then not read.",
        default=None,
        example="multi_hot",
    )
    split: Member | None = field(
        "Array that gives the part of each sample, [samples]: 0 training, 1 validation, 2 test. "
        "Null trains on all samples.",
        default=None,
        example="split",
    )
    range: tuple[float, float] = field(
        "Lowest and highest possible value, which become the ends of to. A value outside is an "
        "error. The encodings constant, series and delta take values as they are if range and to "
        "are [0, 1].",
        unit="of the values",
        default=(0.0, 1.0),
        example=[0, 255],
    )
    to: tuple[Scaled, Scaled] = to_field()
    encoding: Encoding = field(
        "How the values become inputs.",
        default=SpikesEncoding(type="spikes"),
        example={"type": "rate"},
    )

    @property
    def as_arrays(self) -> "Arrays":
        return self

    @property
    def goal(self) -> tuple[str, str]:
        named = {"targets": self.targets, "multi_hot": self.multi_hot}
        given = ((each, name) for each, name in named.items() if name is not None)
        return next(given, ("labels", self.labels))

    @property
    def array_names(self) -> dict[str, str]:
        """Maps the fields that name arrays to the names of the arrays that are read."""
        names = dict([("inputs", self.inputs), *([] if self.is_autoencoder else [self.goal])])
        return names if self.split is None else {**names, "split": self.split}

    @property
    def is_autoencoder(self) -> bool:
        """Whether the output should be what enters the network."""
        return self.targets == NETWORK_INPUTS

    @property
    def is_scaled(self) -> bool:
        """Whether ``range`` becomes ``to``, so that values outside are errors."""
        return not self.encoding.is_real or not self.range == self.to == (0.0, 1.0)


_IMAGES = {"path": "train-images-idx3-ubyte.gz"}
_LABELS = {"path": "train-labels-idx1-ubyte.gz"}


class IdxFile(Section):
    """An idx file, which may be compressed with gzip."""

    path: PathText = path_field(
        "Idx file, uncompressed or compressed with gzip.", example="train-images-idx3-ubyte.gz"
    )
    sha256: Sha256 | None = sha256_field()


class IdxPart(Section):
    """Images with their labels."""

    images: IdxFile = field("The values of the samples.", example=_IMAGES)
    labels: IdxFile = field("The class of each sample, counted from 0.", example=_LABELS)


class Idx(DataSection):
    """Images with labels in idx files, the format of MNIST and Fashion-MNIST."""

    type: Literal["idx"]
    images: IdxFile = field(
        "The values of the training samples. An image has as many values as input.shape, and takes "
        "its shape.",
        example=_IMAGES,
    )
    labels: IdxFile = field("The class of each training sample, counted from 0.", example=_LABELS)
    validation: IdxPart | None = held_out_field(
        "validation", {"images": _IMAGES, "labels": _LABELS}
    )
    test: IdxPart | None = held_out_field("test", {"images": _IMAGES, "labels": _LABELS})
    range: tuple[float, float] = field(
        "Lowest and highest possible value, which become the ends of to. A value outside is an "
        "error.",
        unit="of the values",
        default=(0.0, 255.0),
    )
    to: tuple[Scaled, Scaled] = to_field()
    encoding: ValueEncoding = field(
        "How the values become inputs.",
        default=RateEncoding(type="rate"),
        example={"type": "constant"},
    )

    @property
    def parts(self) -> dict[str, IdxPart]:
        """The files of each part that there is: train, validation and test."""
        train = IdxPart(images=self.images, labels=self.labels)
        known = dict(zip(PARTS, (train, self.validation, self.test), strict=True))
        return {name: part for name, part in known.items() if part is not None}

    @property
    def train_arrays(self) -> Arrays:
        return self.arrays(self.parts["train"])

    def arrays(self, part: IdxPart) -> Arrays:
        """Returns the section of arrays that means the same as this one does for a part."""
        return Arrays(
            type="arrays",
            path=part.images.path,
            inputs="images",
            range=self.range,
            to=self.to,
            encoding=self.encoding,
        )
