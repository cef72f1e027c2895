"""The document: a network, its data, its loss and its training."""

from typing import Annotated, Literal

from pydantic import Field

from netdesc.description.models.arrays import Arrays, Idx
from netdesc.description.models.data import (
    SHA256_EXAMPLE,
    PathText,
    Sha256,
    path_field,
    sha256_field,
)
from netdesc.description.models.layers import Layer
from netdesc.description.models.layers.base import Neuron
from netdesc.description.models.loss import Classifier, EventRate, Loss, OneLoss
from netdesc.description.models.recordings import EventFolders, SpikeFiles, Tonic
from netdesc.description.models.sweep import OVER_EXAMPLE, Sweep
from netdesc.description.models.training import OPTIMIZER_EXAMPLE, Training
from netdesc.sections import Name, Section, field

FORMAT = 1
"""The version of the language that this package reads."""
MAX_STEPS = 1_000_000
MAX_STEP_MS = 1e6
NEURON_EXAMPLE = {"type": "cuba", "threshold": 1, "current_decay": 1, "voltage_decay": 0.1}
TRAINING_EXAMPLE = {"epochs": 100, "optimizer": OPTIMIZER_EXAMPLE}


class Time(Section):
    """The number of time steps, and their length."""

    steps: int = field(
        "Number of time steps of each sample.", unit="steps", ge=1, le=MAX_STEPS, example=100
    )
    step_ms: float = field("Length of one step.", unit="ms", default=1.0, gt=0, le=MAX_STEP_MS)


Size = Annotated[int, Field(ge=1, le=1 << 20)]


class Input(Section):
    """The network's input."""

    shape: tuple[Size, ...] = field(
        "Shape of the input of one step: [neurons], or [channels, height, width].",
        unit="neurons",
        example=[64],
        min_length=1,
        max_length=8,
    )


class Weights(Section):
    """A file with the initial weights.

    Training first moves weights, learnt biases and delays that are all on the device's grid, as
    those of a .net file, to random values that round to them, so that they do not all round to
    other values in one epoch. Zeros of a pruned network stay 0 if the layer has a mask.
    """

    path: PathText = path_field("A .net or .safetensors file.", example="weights.net")
    sha256: Sha256 | None = sha256_field()


Origin = Literal["file", "Python", "default", "--set", "found"]
"""``Python`` is a program that gives the document as a dict or a text, or its data as arrays."""


class LockedFile(Section):
    """A data or weights file at the time when the lock was written."""

    path: PathText = field("The path in the document.", example="input.bs1")
    location: PathText = field("The file, relative to the lock.", example="../../input.bs1")
    absolute: PathText = field(
        "The file's absolute path, used if the lock was moved.", example="/home/me/input.bs1"
    )
    sha256: Sha256 | None = field(
        "SHA-256 of the file, 64 lower-case hexadecimal digits. Null for a folder of Tonic, which "
        "checks its own files.",
        default=None,
        example=SHA256_EXAMPLE,
    )


class Lock(Section):
    """The facts that reproduce a run. netdesc writes this section; do not write it by hand.

    If a run was resumed with other values, the document holds the last ones. A training from the
    lock then gives the results of that run only if its earlier epochs do not depend on them.
    """

    origins: dict[str, Origin] = field(
        "The origin of each value, by JSON pointer: the file, a Python program, a default, the "
        "command line, or found in the training samples.",
        example={"/time/steps": "file", "/time/step_ms": "default"},
    )
    files: tuple[LockedFile, ...] = field("The files that the document refers to.", example=[])
    seed: int = field("The seed of the run.", example=0, ge=0, le=(1 << 63) - 1)
    versions: dict[str, str] = field(
        "Versions of netdesc and its libraries.", example={"netdesc": "0.1.0"}
    )
    loss: str | None = field(
        "Name of the loss of a Python program that takes the place of the document's main loss. "
        "Null is for the document's own.",
        default=None,
        example="my_module.my_loss",
    )


Data = Annotated[SpikeFiles | Arrays | Idx | EventFolders | Tonic, Field(discriminator="type")]


class Document(Section):
    """A spiking network, its data, its loss and its training, in format 1."""

    schema_: str | None = field(
        "The JSON Schema by which an editor checks this file. netdesc ignores it.",
        default=None,
        example="schemas/network.schema.json",
        alias="$schema",
    )
    # Literal[1] would accept true, because True == 1 in Python.
    format: int = field(
        "Version of the description language.", example=FORMAT, ge=FORMAT, le=FORMAT
    )
    name: str = field(
        "Name of the network. Runs and exported files are named after it.",
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        max_length=100,
        example="network",
    )
    description: str = field(
        "What the network is for, in a sentence or two.",
        default="",
        example="Tells ten handwritten digits apart.",
    )
    time: Time = field("Steps and their length.", example={"steps": 100})
    data: Data | None = field(
        "The files that hold the samples. Training needs them; null is for a network that is only "
        "run.",
        default=None,
        example={"type": "arrays", "path": "samples.npz"},
    )
    input: Input = field("The network's input.", example={"shape": [64]})
    neurons: dict[Name, Neuron] = field(
        "Neurons that layers refer to by name.",
        default={},
        example={"cuba": NEURON_EXAMPLE},
        max_length=1000,
    )
    layers: tuple[Layer, ...] = field(
        "The layers, in the order in which they run. The last one is the network's output.",
        example=[{"name": "output", "type": "dense", "units": 10, "neuron": "cuba"}],
        min_length=1,
        max_length=1000,
    )
    loss: Loss = field(
        "The loss, which training minimises, or a list of losses that add up.",
        example={"type": "spike_time", "time_constant_ms": 2},
    )
    regularizers: tuple[EventRate, ...] = field(
        "Penalties that are added to the loss.",
        default=(),
        example=[{"type": "event_rate", "max_rate": 0.1}],
        max_length=100,
    )
    classifier: Classifier | None = field(
        "The rule by which output spikes become a class, if the loss learns from labels. Null uses "
        "the same spikes as the loss: all of the sample, or the spikes in its moving window.",
        default=None,
        example={"type": "rate"},
    )
    training: Training = field("How the network is trained.", example=TRAINING_EXAMPLE)
    weights: Weights | None = field(
        "Initial weights; null draws them at random from the seed.",
        default=None,
        example={"path": "weights.net"},
    )
    sweep: Sweep | None = field(
        "Trials with other values, which netdesc sweep runs; null is for a document without them.",
        default=None,
        example={"trials": 50, "over": OVER_EXAMPLE},
        exclude=True,
    )
    lock: Lock | None = field(
        "In a lock only: the origins of its values and files. Written by netdesc.",
        default=None,
        exclude=True,
    )

    def idle_reasons(self) -> dict[str, str]:
        learns_from, kind = self.losses[0].learns_from, self.losses[0].type
        reason = f"{kind} learns from {learns_from}, so there are no classes"
        return {} if learns_from == "labels" else {"classifier": reason}

    @property
    def losses(self) -> tuple[OneLoss, ...]:
        """The losses that add up; at least one."""
        return self.loss if isinstance(self.loss, tuple) else (self.loss,)

    @property
    def main_loss(self) -> OneLoss:
        """The first loss that reads the last layer, from which the classes follow."""
        last = (None, self.layers[-1].name)
        return next((each for each in self.losses if each.from_ in last), self.losses[0])

    def epoch_metrics(self, has_validation: bool) -> list[str]:
        """Returns the metrics that ``training.best`` can name; the first one is the default."""
        has_labels = self.main_loss.learns_from in ("labels", "multi-hot labels")
        names = ["accuracy", "loss", "confidence"] if has_labels else ["loss"]
        return [*(f"validation_{name}" for name in names if has_validation), *names]
