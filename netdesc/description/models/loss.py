"""Losses, and the classifiers that turn output spikes into a class."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.sections import Section, field, form_tag

ClassWeights = Annotated[
    Annotated[
        tuple[Annotated[float, Field(ge=0, le=1e9)], ...],
        Field(min_length=1, max_length=1_000_000),
        Tag("<list>"),
    ]
    | Annotated[Literal["balanced"], Tag("<plain>")],
    Discriminator(form_tag),
]

OUTPUT = "output"
"""The value of ``signal`` that stands for the output of the layer."""

Reduction = Literal["sum", "mean"]


def _over(over: str, default: Reduction) -> Any:
    return field(f"Sum or mean over {over}.", default=default)


LearnsFrom = Literal["labels", "multi-hot labels", "target spikes", "target values"]


class LossSection(Section):
    """Base class of the losses, with the fields that all of them have."""

    is_shared = True
    learns_from: ClassVar[LearnsFrom] = "labels"
    """What a sample has for the loss, beside its input."""

    from_: str | None = field(
        "Name of the layer that the loss reads. Null reads the last layer.",
        default=None,
        example="hidden",
        alias="from",
    )
    skip_steps: int = field(
        "Number of steps at the start of a sample that do not count.",
        unit="steps",
        default=0,
        example=10,
        ge=0,
        le=1_000_000,
    )
    weight: float = field(
        "Factor on the loss. The losses of a list add up.", unit="1", default=1.0, gt=0, le=1e9
    )

    @property
    def is_by_step(self) -> bool:
        """Whether the loss compares every step, so that a sample may have a target in each."""
        return True

    @property
    def is_softmax(self) -> bool:
        """Whether the likelihoods of classes are the softmax of what the loss reads."""
        return False

    @property
    def spike_filter(self) -> "SpikeTime | None":
        """The filter of spikes before they are compared; None if they are not filtered."""
        return None

    @property
    def label_rates(self) -> tuple[float, float] | None:
        """The target rates of the label's neuron and of the others; None if there are none."""
        return None

    @property
    def reason_for_spikes(self) -> tuple[str, str] | None:
        """Why the loss needs spikes, and what reads any numbers; None if the loss does."""
        return None


class SignalLoss(LossSection):
    """Base class of the losses that reduce what a layer gives over the steps, before they compare
    it.
    """

    is_shared = True

    signal: str = field(
        'What the loss reads of its layer: "output", or the name of a state of its neurons, whose '
        "values before their reset are read.",
        default=OUTPUT,
        example="v",
    )
    over: Literal["mean", "sum", "max", "last", "each_step"] = field(
        "What is compared: one value a sample, which is the mean, the sum or the largest of its "
        "steps, or the last of them, or the value of each step.",
        default="mean",
    )

    @property
    def is_by_step(self) -> bool:
        return self.over == "each_step"


class WindowLoss(SignalLoss):
    """Base class of the losses that may compare rates in a moving window."""

    is_shared = True

    window_steps: int | None = field(
        "Moving window: in every step, the rate over the last window_steps steps is compared with "
        "the label; steps before the sample count as silent. Null compares the rate over the whole "
        "sample.",
        unit="steps",
        default=None,
        example=20,
        ge=1,
        le=1_000_000,
    )

    @property
    def is_by_step(self) -> bool:
        return super().is_by_step or self.window_steps is not None

    def idle_reasons(self) -> dict[str, str]:
        return {} if self.window_steps is None else {"over": "window_steps compares means"}


class LabelLoss(SignalLoss):
    """Base class of the losses that learn from one label a sample or step."""

    is_shared = True

    class_weights: ClassWeights | None = field(
        "Factors on the costs of samples, or of steps, by their label: a number for each class, or "
        '"balanced", which is samples / (classes · samples of the class), counted in the training '
        "samples; classes without any do not count, and have the factor 1. The reduction "
        '"mean" divides by the number of costs, not by the sum of their factors as '
        "cross_entropy(weight=…) of torch does.",
        unit="1",
        default=None,
        example=[1.0, 4.0],
    )


class SpikeTime(LossSection):
    """The van Rossum distance: squared difference of filtered output and target spike trains."""

    learns_from = "target spikes"
    signal: ClassVar[str] = OUTPUT
    over: ClassVar[Literal["each_step"]] = "each_step"
    window_steps: ClassVar[None] = None

    type: Literal["spike_time"]
    time_constant_ms: float = field(
        "Time constant of the exponential filter.", unit="ms", gt=0, le=1e6, example=1.0
    )
    filter_order: int = field(
        "Number of exponentials that are convolved with each other.",
        unit="1",
        default=1,
        ge=1,
        le=16,
    )
    filter_steps: int = field(
        "Length of the filter, after which it is cut off.",
        unit="steps",
        default=100,
        ge=1,
        le=100_000,
    )
    reduction: Reduction = _over("batch, neurons and steps", "sum")

    @property
    def spike_filter(self) -> "SpikeTime":
        return self

    @property
    def reason_for_spikes(self) -> tuple[str, str]:
        return "spike_time compares spikes", "use another loss, or a neuron that sends spikes"


class SpikeRate(WindowLoss, LabelLoss):
    """Squared difference of each output neuron's rate and its target rate."""

    type: Literal["spike_rate"]
    true_rate: float = field(
        "Target rate of the label's neuron.", unit="spikes a step", default=0.2, ge=0, le=1
    )
    false_rate: float = field(
        "Target rate of the other neurons.", unit="spikes a step", default=0.03, ge=0, le=1
    )
    reduction: Reduction = _over("batch, neurons and, with a window or each_step, steps", "sum")

    @property
    def label_rates(self) -> tuple[float, float]:
        return self.true_rate, self.false_rate


class SpikeMax(WindowLoss, LabelLoss):
    """Negative log likelihood of the label, given the rates of the output neurons."""

    type: Literal["spike_max"]
    mode: Literal["probability", "softmax"] = field(
        "How rates become likelihoods: each rate's share of their sum, or their softmax.",
        default="probability",
    )
    reduction: Reduction = _over("batch and, with a window or each_step, steps", "sum")

    @property
    def is_softmax(self) -> bool:
        return self.mode == "softmax"

    @property
    def reason_for_spikes(self) -> tuple[str, str] | None:
        reason = f'spike_max with the mode "{self.mode}" divides counts of spikes'
        return None if self.is_softmax else (reason, 'use the mode "softmax", or cross_entropy')


class SpikeMoid(WindowLoss):
    """Binary cross-entropy of each output neuron's probability, sigmoid((rate - theta) / alpha)."""

    learns_from = "multi-hot labels"

    type: Literal["spike_moid"]
    alpha: float = field(
        "Rate by which the probability rises from 1/2 to 73%.",
        unit="spikes a step",
        default=1.0,
        gt=0,
        le=1e6,
    )
    theta: float = field(
        "Rate at which the probability is 1/2.", unit="spikes a step", default=0.0, ge=-1e6, le=1e6
    )
    reduction: Reduction = _over("batch, neurons and, with a window or each_step, steps", "sum")


class CrossEntropy(LabelLoss):
    """Negative log likelihood of the label under the softmax of the output neurons' values."""

    window_steps: ClassVar[None] = None

    type: Literal["cross_entropy"]
    reduction: Reduction = _over("batch and, for each_step, steps", "mean")

    @property
    def is_softmax(self) -> bool:
        return True


class MeanSquaredError(SignalLoss):
    """Squared difference of the output and target values."""

    learns_from = "target values"
    window_steps: ClassVar[None] = None

    type: Literal["mean_squared_error"]
    over: Literal["each_step", "mean", "sum", "max", "last"] = field(
        "What is compared: the value of each step, or one value a sample, which is the mean, the "
        "sum or the largest of its steps, or the last of them.",
        default="each_step",
    )
    reduction: Reduction = _over("batch, neurons and, for each_step, steps", "mean")


OneLoss = Annotated[
    SpikeTime | SpikeRate | SpikeMax | SpikeMoid | CrossEntropy | MeanSquaredError,
    Field(discriminator="type"),
]

Loss = Annotated[
    Annotated[OneLoss, Tag("<object>")]
    | Annotated[Annotated[tuple[OneLoss, ...], Field(min_length=1, max_length=100)], Tag("<list>")],
    Discriminator(form_tag),
]


class EventRate(Section):
    """Squared distance of a layer's mean output from min_rate to max_rate, by magnitude, summed
    over layers. It is added once to the loss of each batch.
    """

    type: Literal["event_rate"]
    layers: Annotated[tuple[str, ...], Field(min_length=1)] | None = field(
        "Names of the layers; null takes all layers that have neurons.",
        default=None,
        example=["hidden"],
    )
    max_rate: float = field(
        "Highest mean that costs nothing.", unit="spikes a step", default=0.01, ge=0, le=1e6
    )
    min_rate: float = field(
        "Lowest mean that costs nothing.", unit="spikes a step", default=0.0, ge=0, le=1e6
    )
    weight: float = field("Factor on the penalty.", unit="1", default=1.0, gt=0, le=1e9)


class RateClassifier(Section):
    """The class whose neuron spikes most in the whole sample."""

    window_steps: ClassVar[None] = None

    type: Literal["rate"]


class MovingWindowClassifier(Section):
    """The class of a step is the neuron that spiked most in the last window_steps steps. If a
    sample has one label, its class is the most frequent class of its steps; silent steps are not
    counted.
    """

    type: Literal["moving_window"]
    window_steps: int = field(
        "Number of steps of the window.", unit="steps", ge=1, le=1_000_000, example=10
    )


Classifier = Annotated[RateClassifier | MovingWindowClassifier, Field(discriminator="type")]
