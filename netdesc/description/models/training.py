"""Training: the optimizer, its schedule, and when to stop."""

from typing import Annotated, Any, Literal

from pydantic import Field

from netdesc.sections import Section, field

Share = Annotated[float, Field(ge=0, lt=1)]
Epochs = Annotated[int, Field(ge=1, le=10_000_000)]

ParameterKind = Literal["weights", "biases", "decays", "thresholds", "delays"]
"""The kinds of trained numbers of a layer."""

BestMetric = Literal[
    "loss", "validation_loss", "accuracy", "validation_accuracy", "confidence",
    "validation_confidence",
]  # fmt: skip
"""The metrics of an epoch by which the best epoch is chosen."""

MIN_DELTA = (
    "A loss counts as better if it is lower than the best one by more than this: the loss that "
    "training shows, which is a loss a sample, also if the document sums losses over samples."
)
OPTIMIZER_EXAMPLE = {"type": "adam", "learning_rate": 0.001}
DEFAULT_BATCH_SIZE = 32
RELATIVE_RATE = 0.04
"""The learning rate of a document that states none, in typical initial weights."""


def _rate_field(text: str, default: float | None) -> Any:
    text = f"Learning rate. The schedule starts from it.{text}"
    return field(text, unit="1", default=default, example=1e-3, gt=0)


class OptimizerSection(Section):
    """Base class of the optimizers."""

    learning_rate: float | None = _rate_field(
        f" Null is {RELATIVE_RATE:g} times the typical initial weight: the geometric mean over the "
        "layers of the standard deviation of their weights. Training finds it, and the lock "
        "holds it.",
        None,
    )
    weight_decay: float = field(
        "Weight decay. It acts on the weights of synapses, also recurrent ones; not on biases, "
        "decays, thresholds, delays and other values of neurons, the gains of weight_norm, and the "
        "numbers of layers of type neurons.",
        unit="1",
        default=0.0,
        ge=0,
    )


class Adaptive(OptimizerSection):
    """Base class of the optimizers that divide by the running size of a gradient."""

    betas: tuple[Share, Share] = field(
        "Shares of the running means of the gradient and of its square that are kept in each step.",
        unit="1",
        default=(0.9, 0.999),
    )
    eps: float = field(
        "Number added to the denominator, so that it is never 0.", unit="1", default=1e-8, gt=0
    )

    @property
    def states(self) -> int:
        """How many numbers the optimizer stores for each trained number."""
        return 2


class Adam(Adaptive):
    """Adam; weight decay is added to the gradient."""

    type: Literal["adam"]


class AdamW(Adaptive):
    """Adam whose weight decay acts on the weights themselves."""

    type: Literal["adamw"]


class RAdam(Adaptive):
    """Adam whose first steps are shorter, until the variance of the gradient is known."""

    type: Literal["radam"]


class Sgd(OptimizerSection):
    """Stochastic gradient descent."""

    type: Literal["sgd"]
    learning_rate: float | None = _rate_field("", 0.1)
    momentum: Share = field(
        "Share of the last step that is added to the next one.", unit="1", default=0.0
    )
    nesterov: bool = field("True computes the step as Nesterov's momentum does.", default=False)

    def idle_reasons(self) -> dict[str, str]:
        return {} if self.momentum else {"nesterov": "there is no momentum"}

    @property
    def states(self) -> int:
        return 1 if self.momentum else 0


Optimizer = Annotated[Adam | AdamW | RAdam | Sgd, Field(discriminator="type")]


class ScheduleSection(Section):
    """Base class of the schedules."""

    @property
    def plateaus(self) -> "PlateauSchedule | None":
        """When the loss has stopped falling; None if the rate does not depend on that."""
        return None

    @property
    def changes(self) -> dict[tuple[str | int, ...], int]:
        """Maps the paths of numbers of epochs after which the rate changes to these numbers."""
        return {}


class ConstantSchedule(ScheduleSection):
    """The learning rate stays the same in all epochs."""

    type: Literal["constant"]


class CosineSchedule(ScheduleSection):
    """A linear warm-up, and then a fall to final_rate along half a cosine."""

    type: Literal["cosine"]
    warmup_epochs: int = field(
        "Epochs in which the rate rises linearly to learning_rate.",
        unit="epochs",
        default=0,
        ge=0,
        le=10_000_000,
    )
    final_rate: float = field("Learning rate at the end of the run.", unit="1", default=0.0, ge=0)

    @property
    def changes(self) -> dict[tuple[str | int, ...], int]:
        return {("warmup_epochs",): self.warmup_epochs}


class StepSchedule(ScheduleSection):
    """The learning rate is multiplied by factor after every every_epochs epochs."""

    type: Literal["step"]
    every_epochs: Epochs = field("Number of epochs between two changes.", unit="epochs", example=30)
    factor: float = field("Factor on the learning rate.", unit="1", gt=0, le=1, example=0.5)

    @property
    def changes(self) -> dict[tuple[str | int, ...], int]:
        return {("every_epochs",): self.every_epochs}


class MilestonesSchedule(ScheduleSection):
    """The learning rate is multiplied by factor after each number of epochs in epochs."""

    type: Literal["milestones"]
    epochs: Annotated[tuple[Epochs, ...], Field(min_length=1, max_length=1000)] = field(
        "Numbers of epochs after which the rate changes.", unit="epochs", example=[30, 60]
    )
    factor: float = field("Factor on the learning rate.", unit="1", gt=0, le=1, example=0.5)

    @property
    def changes(self) -> dict[tuple[str | int, ...], int]:
        return {("epochs", index): epochs for index, epochs in enumerate(self.epochs)}


class PlateauSchedule(ScheduleSection):
    """The learning rate is multiplied by factor whenever the loss has stopped falling."""

    type: Literal["plateau"]
    factor: float = field("Factor on the learning rate.", unit="1", gt=0, lt=1, example=0.5)
    patience_epochs: Epochs = field(
        "The rate changes after this number of epochs without a better loss: the loss of the "
        "validation samples if there are some, else of the training samples.",
        unit="epochs",
        default=10,
    )
    min_delta: float = field(MIN_DELTA, unit="loss", default=0.0, ge=0)
    final_rate: float = field("Lowest learning rate.", unit="1", default=0.0, ge=0)

    @property
    def plateaus(self) -> "PlateauSchedule | None":
        return self


Schedule = Annotated[
    ConstantSchedule | CosineSchedule | StepSchedule | MilestonesSchedule | PlateauSchedule,
    Field(discriminator="type"),
]


class Group(Section):
    """Trained numbers with a learning rate of their own."""

    parameters: tuple[ParameterKind, ...] | None = field(
        "Kinds of the trained numbers: weights (with the gains of weight_norm), biases, decays "
        "(all learnt parameters of neurons that are no thresholds), thresholds and delays. Null "
        "takes all.",
        default=None,
        example=["decays"],
        min_length=1,
    )
    layers: Annotated[tuple[str, ...], Field(min_length=1)] | None = field(
        "Names of the layers; null takes all.", default=None, example=["hidden"]
    )
    learning_rate: float = field(
        "Learning rate in place of that of the optimizer. The schedule changes it by the same "
        "factor.",
        unit="1",
        gt=0,
        example=1e-4,
    )

    def has(self, layer: str, kind: ParameterKind) -> bool:
        """Whether the trained numbers of this kind in a layer are in the group."""
        return (self.layers is None or layer in self.layers) and (
            self.parameters is None or kind in self.parameters
        )


class EarlyStopping(Section):
    """Ends the run when the loss has stopped falling."""

    patience_epochs: Epochs = field(
        "The run ends after this number of epochs without a better loss: the loss of the "
        "validation samples if there are some, else of the training samples.",
        unit="epochs",
        example=20,
    )
    min_delta: float = field(MIN_DELTA, unit="loss", default=0.0, ge=0)


class Training(Section):
    """How the network is trained."""

    epochs: Epochs = field(
        "Passes over the training samples. A run goes on with more of them, also if it is done: "
        "netdesc train --resume RUN --set training.epochs=200. A cosine schedule and a tau_grad "
        "that changes are then computed with the new number, so a training from the start, also "
        "from the lock of such a run, differs.",
        unit="epochs",
        example=100,
    )
    seed: int = field(
        "Seed of all random numbers: initial weights, order of samples, dropout.",
        default=0,
        ge=0,
        le=(1 << 63) - 1,
    )
    batch_size: int | None = field(
        "Number of samples in one step of the optimizer, or all training samples if there are "
        "fewer; null takes all.",
        unit="samples",
        default=DEFAULT_BATCH_SIZE,
        example=32,
        ge=1,
        le=1 << 20,
    )
    shards: int = field(
        "Number of shards into which each batch is divided, a power of two. The gradients of the "
        "shards are added up in a fixed order before the step of the optimizer. A process computes "
        "them one after another (gradient accumulation), so a step needs the memory of one shard. "
        "Several processes (netdesc train --processes N, torchrun, or srun with MASTER_ADDR) share "
        "the shards: N must divide their number, and changes no bit of the results. A process "
        "waits for the others for at most 600 s, or NETDESC_WAIT_S. Results with another number of "
        "shards differ by rounding. In training, a norm takes its mean from a shard, and "
        "event_rate its rate, weighted by the shard's share of the batch. 1 computes a batch as a "
        "whole.",
        unit="1",
        default=1,
        example=4,
        ge=1,
        le=1024,
    )
    validation_split: Share = field(
        "Share of the training samples that is set aside for validation, rounded to whole samples; "
        "at least one sample.",
        unit="1",
        default=0.0,
    )
    gradient_clip: float | None = field(
        "Largest L2 norm of the gradient of all parameters together; a larger gradient is scaled "
        "down to it. Null never scales the gradient.",
        unit="1",
        default=None,
        example=1.0,
        gt=0,
    )
    early_stopping: EarlyStopping | None = field(
        "Condition under which the run ends before its last epoch; null runs all epochs.",
        default=None,
        example={"patience_epochs": 20},
    )
    best: BestMetric | None = field(
        "Metric whose best epoch gives the weights that are kept: the lowest loss, or the highest "
        "accuracy or confidence. Among equal epochs, the loss decides, of the validation samples "
        "if there are some; then the earlier epoch. Null means the accuracy if the network learns "
        "labels, else the loss, in either case of the validation samples if there are some.",
        default=None,
        example="validation_loss",
    )
    checkpoint_every_s: float = field(
        "Smallest time between two checkpoints, which are written after a batch. It is longer if "
        "saving would take more than 2% of the run's time. A signal that stops training writes one "
        "at once.",
        unit="s",
        default=30.0,
        ge=0,
        le=1e6,
    )
    optimizer: Optimizer = field(
        "The optimizer, which changes the weights after each batch.",
        default=Adam(type="adam"),
        example=OPTIMIZER_EXAMPLE,
    )
    schedule: Schedule = field(
        "How the learning rate changes over the run.",
        default=ConstantSchedule(type="constant"),
        example={"type": "cosine"},
    )
    groups: tuple[Group, ...] = field(
        "Trained numbers with learning rates of their own. Numbers that several groups have belong "
        "to the first of them.",
        default=(),
        example=[{"parameters": ["decays"], "learning_rate": 0.0001}],
        max_length=100,
    )

    @property
    def learning_rate(self) -> float:
        """The learning rate of the optimizer, once training has found it."""
        assert self.optimizer.learning_rate is not None, "training fills it in"
        return self.optimizer.learning_rate

    def held_out(self, samples: int) -> int:
        """Returns how many of ``samples`` training samples ``validation_split`` sets aside."""
        return 0 if self.validation_split == 0 else max(1, round(self.validation_split * samples))

    def without_held_out(self, samples: int | None) -> int | None:
        """Returns how many of ``samples`` training samples are left; None for an unknown number."""
        return None if samples is None else samples - self.held_out(samples)
