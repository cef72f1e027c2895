"""Fields of paths of files, and of files of events that are a sample's input or target."""

from typing import Annotated, Any, Literal

from pydantic import Field

from netdesc.sections import Section, field

PathText = Annotated[str, Field(min_length=1, max_length=4096)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SHA256_EXAMPLE = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

Rounding = Literal["nearest", "floor"]
PARTS = ("train", "validation", "test")
"""The parts of the data."""


def path_field(text: str, **more: Any) -> Any:
    """Returns the field of the path of a file or folder; ``more`` is as in ``field``."""
    text += " Relative to the JSON file, and to the working directory in --set."
    made = field(text, **more)
    made.json_schema_extra["x-path"] = True
    return made


def sha256_field() -> Any:
    return field(
        "SHA-256 that the file must have, 64 lower-case hexadecimal digits. --set of the path "
        "alone drops it.",
        default=None,
        example=SHA256_EXAMPLE,
    )


class BinnedEvents(Section):
    """Base class of the sections that say how events are binned to steps."""

    is_shared = True

    rounding: Rounding = field(
        "Rounding of an event's time to a step: to the nearest (halves to the even one) or down.",
        default="nearest",
    )
    duplicates: Literal["or", "sum"] = field(
        "Two events of a neuron in one step become one spike (or), or a spike of size two (sum). "
        "Of events with payloads, the last one in the file counts (or), or they add up (sum).",
        default="or",
    )


class EventFile(BinnedEvents):
    """A file of spike events and how they are binned to steps."""

    path: PathText = path_field("File of events: .bs1, .bs2, .bin or .npy.", example="input.bs1")
    sha256: Sha256 | None = sha256_field()


class Pair(Section):
    """One sample: an input with its target or its label."""

    input: EventFile = field("Events that enter the network.", example={"path": "input.bs1"})
    target: EventFile | None = field(
        "Events that the last layer should emit. A sample has a target or a label.",
        default=None,
        example={"path": "target.bs1"},
    )
    label: int | None = field(
        "Class of the sample: the output neuron that should spike most, counted from 0.",
        unit="1",
        default=None,
        example=3,
        ge=0,
        le=(1 << 20) - 1,
    )
