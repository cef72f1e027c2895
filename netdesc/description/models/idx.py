"""Data as idx files, the format of MNIST and Fashion-MNIST."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from netdesc.description.models.arrays import (
    Arrays,
    ConstantEncoding,
    DataSection,
    LatencyEncoding,
    RateEncoding,
    Scaled,
    to_field,
)
from netdesc.description.models.augmentation import Augmentation, augmentation_field
from netdesc.description.models.data import PARTS, PathText, Sha256, path_field, sha256_field
from netdesc.sections import Section, field

_IMAGES = {"path": "train-images-idx3-ubyte.gz"}
_LABELS = {"path": "train-labels-idx1-ubyte.gz"}


class IdxFile(Section):
    """An idx file, which may be compressed with gzip."""

    path: PathText = path_field(
        "Idx file, as it is or compressed with gzip.", example="train-images-idx3-ubyte.gz"
    )
    sha256: Sha256 | None = sha256_field()


class IdxPart(Section):
    """Images with their labels."""

    images: IdxFile = field("The values of the samples.", example=_IMAGES)
    labels: IdxFile = field("The class of each sample, counted from 0.", example=_LABELS)


ValueEncoding = Annotated[
    RateEncoding | LatencyEncoding | ConstantEncoding, Field(discriminator="type")
]


class Idx(DataSection):
    """Images with labels in idx files, the format of MNIST and Fashion-MNIST."""

    type: Literal["idx"]
    images: IdxFile = field(
        "The values of the training samples. An image has as many values as input.shape, and takes "
        "its shape.",
        example=_IMAGES,
    )
    labels: IdxFile = field("The class of each training sample, counted from 0.", example=_LABELS)
    validation: IdxPart | None = field(
        "The validation samples, which choose the best weights and are never trained on.",
        default=None,
        example={"images": _IMAGES, "labels": _LABELS},
    )
    test: IdxPart | None = field(
        "The test samples, which only evaluate measures.",
        default=None,
        example={"images": _IMAGES, "labels": _LABELS},
    )
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
    augmentation: Augmentation = augmentation_field()

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
            labels="labels",
            split=None,
            range=self.range,
            to=self.to,
            encoding=self.encoding,
        )
