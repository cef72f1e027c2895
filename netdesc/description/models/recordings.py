"""Data as recordings of events: files with targets or labels, folders, and datasets of Tonic."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.description.models import data
from netdesc.description.models.arrays import DataSection, held_out_field
from netdesc.sections import Section, field


class SpikeFiles(DataSection):
    """Samples, each an event file with its target or label."""

    type: Literal["spike_files"]
    train: tuple[data.Pair, ...] = field(
        "The training samples.",
        example=[{"input": {"path": "input.bs1"}, "label": 0}],
        min_length=1,
    )
    validation: tuple[data.Pair, ...] = held_out_field(
        "validation", [{"input": {"path": "held_out.bs1"}, "label": 0}], default=()
    )
    test: tuple[data.Pair, ...] = held_out_field(
        "test", [{"input": {"path": "test.bs1"}, "label": 0}], default=()
    )

    @property
    def pairs(self) -> dict[str, tuple[data.Pair, ...]]:
        return {name: getattr(self, name) for name in data.PARTS}


class EventFolder(Section):
    """A folder with a folder of event files for each class."""

    path: data.PathText = data.path_field(
        "Folder with a folder for each class, which holds the event files of this class: .bin or "
        ".bs2 (N-MNIST), .bs1 or .npy.",
        example="NMNIST/Train",
    )
    sha256: data.Sha256 | None = field(
        "SHA-256 that the folder must have, 64 lower-case hexadecimal digits: that of the names "
        "and SHA-256 of all its files, as the lock of a run has it.",
        default=None,
        example=data.SHA256_EXAMPLE,
    )


_FOLDERS_OF_TRAIN = " Their folders have the names of those in train."


class EventFolders(DataSection, data.BinnedEvents):
    """Recordings in folders, one for each class. Batches are read from the files one by one."""

    type: Literal["event_folders"]
    train: EventFolder = field(
        "The training samples. Their folders, sorted by name (numbers by value), are the classes "
        "0, 1, …",
        example={"path": "NMNIST/Train"},
    )
    validation: EventFolder | None = held_out_field(
        "validation", {"path": "NMNIST/Validation"}, _FOLDERS_OF_TRAIN
    )
    test: EventFolder | None = held_out_field("test", {"path": "NMNIST/Test"}, _FOLDERS_OF_TRAIN)

    @property
    def parts(self) -> dict[str, EventFolder]:
        """The folder of each part that there is: train, validation and test."""
        known = {name: getattr(self, name) for name in data.PARTS}
        return {name: folder for name, folder in known.items() if folder is not None}


def _scalar_tag(value: object) -> str:
    if isinstance(value, bool):
        return "<flag>"
    return "<text>" if isinstance(value, str) else "<plain>"


Option = Annotated[
    Annotated[bool, Tag("<flag>")] | Annotated[str, Tag("<text>")] | Annotated[int, Tag("<plain>")],
    Discriminator(_scalar_tag),
]


class Tonic(DataSection, data.BinnedEvents):
    """A dataset of the package Tonic, which loads or downloads it: pip install tonic."""

    type: Literal["tonic"]
    dataset: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)] = field(
        "Name of the dataset's class in tonic.datasets.", example="NMNIST"
    )
    path: data.PathText = data.path_field(
        "Folder in which Tonic keeps its datasets, and into which it downloads them.",
        example="datasets",
    )
    options: dict[str, Option] = field(
        "Further arguments of the dataset's class, such as first_saccade_only of NMNIST. With the "
        "one that chooses a part (train or split), all samples are for training.",
        default={},
        example={"first_saccade_only": True},
        max_length=100,
    )
