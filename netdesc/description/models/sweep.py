"""Sweeps: trainings of a document with other values at some of its paths."""

from typing import Annotated, Any, Literal

from pydantic import Field

from netdesc.description.models.training import Epochs
from netdesc.sections import Name, Section, field

SweptPath = Annotated[str, Field(min_length=1, max_length=1000)]
Ends = tuple[float, float]
Method = Literal["tpe", "nsga2", "qmc", "random", "grid"]

OVER_EXAMPLE = {"training.optimizer.learning_rate": {"log": [0.001, 0.1]}}
VARIANT_EXAMPLE = {"name": "low", "set": {"neurons.cuba.threshold": 0.5}}
MAX_TRIALS = 100_000
TRIAL_METRICS = ("spikes_per_sample", "parameters", "seconds")
"""The metrics of a whole training that an objective may name beside those of an epoch."""


class SweptValues(Section):
    """The values of one path: a range, a logarithmic range or choices.

    The ends of a range belong to it. Whether its values are integers or real follows from the field
    at the path.
    """

    range: Ends | None = field(
        "Lowest and highest value. All values between them are equally likely.",
        default=None,
        example=[0.2, 1.0],
    )
    log: Ends | None = field(
        "Lowest and highest value, greater than 0. All logarithms between them are equally likely.",
        default=None,
        example=[0.001, 0.1],
    )
    choices: Annotated[tuple[Any, ...], Field(min_length=1, max_length=1000)] | None = field(
        "Values of any kind that the field takes.", default=None, example=[64, 128, 256]
    )
    steps: int | None = field(
        "Number of values of a range in a grid, with both ends: at equal distances, or at equal "
        "ratios if the range is logarithmic. The other methods ignore it.",
        unit="1",
        default=None,
        example=5,
        ge=2,
        le=1000,
    )

    @property
    def ends(self) -> Ends:
        """The ends of the range, also of a logarithmic one."""
        return self.range or self.log or (0.0, 0.0)


class ObjectiveSection(Section):
    """A metric, and whether trials with a high or a low one are better.

    It is a metric of the best epoch, as training.best names them, or spikes_per_sample, parameters
    (the number of trained numbers) or seconds (the time of the training).
    """

    maximize: str | None = field(
        "The metric, if higher is better.", default=None, example="validation_accuracy"
    )
    minimize: str | None = field(
        "The metric, if lower is better.", default=None, example="spikes_per_sample"
    )


class Pruning(Section):
    """Base class of the rules by which poor trials end early."""

    min_epochs: Epochs = field(
        "No trial ends before this number of epochs is over.", unit="epochs", default=1, example=5
    )


class Hyperband(Pruning):
    """Of the trials that reach a number of epochs, the best third goes on to three times as many.

    Groups of trials begin this with different numbers of epochs.
    """

    type: Literal["hyperband"]


class MedianPruning(Pruning):
    """A trial ends if it is worse than the median of the earlier trials at the same epoch."""

    type: Literal["median"]


class VariantSection(Section):
    """A form of the network that has values, and ranges, of its own."""

    name: Name = field("Name of the variant.", example="low")
    set: dict[SweptPath, Any] = field(
        "The values of the variant, by their paths.",
        default={},
        example=VARIANT_EXAMPLE["set"],
        max_length=100,
    )
    over: dict[SweptPath, SweptValues] = field(
        "Paths that vary in this variant only, or otherwise than in the others.",
        default={},
        example=OVER_EXAMPLE,
        max_length=100,
    )


class Sweep(Section):
    """Trials of a document: trainings that differ in the values at some paths.

    Paths are those of --set. netdesc sweep runs the trials; netdesc train ignores this section.
    """

    trials: Annotated[int, Field(ge=1, le=MAX_TRIALS)] | None = field(
        "Number of trials. Null is for a grid, which is tried as a whole.",
        unit="1",
        default=None,
        example=50,
    )
    seed: int = field("Seed by which values are drawn.", default=0, ge=0, le=(1 << 31) - 1)
    method: Method | None = field(
        "How values are chosen. tpe draws more near the best trials, nsga2 crosses the best ones, "
        "qmc spreads them evenly, random draws them at random, grid tries all combinations. Null "
        "is tpe with one objective and nsga2 with several.",
        default=None,
        example="tpe",
    )
    seeds: int = field(
        "Number of trainings of a trial. They have the seeds training.seed, training.seed + 1, …; "
        "the trial's results are their medians.",
        unit="1",
        default=1,
        example=3,
        ge=1,
        le=1000,
    )
    objectives: tuple[ObjectiveSection, ...] = field(
        "What makes a trial better. The best trials are a front if there are several objectives. "
        "An empty list is the metric that training.best takes by default.",
        default=(),
        example=[{"maximize": "validation_accuracy"}],
        max_length=4,
    )
    prune: Annotated[Hyperband | MedianPruning, Field(discriminator="type")] | None = field(
        "Ends poor trials early, by the objective after each epoch of the first seed.",
        default=None,
        example={"type": "hyperband", "min_epochs": 5},
    )
    over: dict[SweptPath, SweptValues] = field(
        "The values at each path that varies.", default={}, example=OVER_EXAMPLE, max_length=100
    )
    variants: tuple[VariantSection, ...] = field(
        "Forms of the network among which trials choose; an empty list is one form.",
        default=(),
        example=[VARIANT_EXAMPLE],
        max_length=100,
    )
