"""Training: the optimizer, its schedule, and when to stop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.sections import Section, field, type_tag

Beta = Annotated[float, Field(ge=0, lt=1)]

OPTIMIZER_EXAMPLE = {"type": "adam", "learning_rate": 0.001}
RATE = "Learning rate. The schedule starts from it."


class Adam(Section):
    """Adam; weight decay is added to the gradient."""

    type: Literal["adam"] = field("Adam; weight decay is added to the gradient.")
    learning_rate: float = field(RATE, unit="1", gt=0, placeholder=1e-3)
    weight_decay: float = field("Weight decay.", unit="1", default=0.0, ge=0)
    betas: tuple[Beta, Beta] = field(
        "Shares of the running means of the gradient and of its square that are kept in each step.",
        unit="1",
        default=(0.9, 0.999),
    )
    eps: float = field(
        "Number added to the denominator, so that it is never 0.", unit="1", default=1e-8, gt=0
    )


class AdamW(Section):
    """Adam whose weight decay acts on the weights themselves."""

    type: Literal["adamw"] = field("Adam whose weight decay acts on the weights themselves.")
    learning_rate: float = field(RATE, unit="1", gt=0, placeholder=1e-3)
    weight_decay: float = field("Weight decay.", unit="1", default=0.0, ge=0)
    betas: tuple[Beta, Beta] = field(
        "Shares of the running means of the gradient and of its square that are kept in each step.",
        unit="1",
        default=(0.9, 0.999),
    )
    eps: float = field(
        "Number added to the denominator, so that it is never 0.", unit="1", default=1e-8, gt=0
    )


class Sgd(Section):
    """Stochastic gradient descent."""

    type: Literal["sgd"] = field("Stochastic gradient descent.")
    learning_rate: float = field(RATE, unit="1", gt=0, placeholder=1e-3)
    weight_decay: float = field("Weight decay.", unit="1", default=0.0, ge=0)
    momentum: float = field(
        "Share of the last step that is added to the next one.", unit="1", default=0.0, ge=0, lt=1
    )
    nesterov: bool = field("True computes the step as Nesterov's momentum does.", default=False)


Optimizer = Annotated[
    Annotated[Adam, Tag("<adam>")]
    | Annotated[AdamW, Tag("<adamw>")]
    | Annotated[Sgd, Tag("<sgd>")],
    Discriminator(type_tag),
]


class ConstantSchedule(Section):
    """The learning rate stays the same in all epochs."""

    type: Literal["constant"] = field("The learning rate stays the same in all epochs.")


class CosineSchedule(Section):
    """A linear warm-up, and then a fall to final_rate along half a cosine."""

    type: Literal["cosine"] = field(
        "A linear warm-up, and then a fall to final_rate along half a cosine."
    )
    warmup_epochs: int = field(
        "Epochs in which the rate rises linearly to learning_rate.",
        unit="epochs",
        default=0,
        ge=0,
        le=10_000_000,
    )
    final_rate: float = field("Learning rate at the end of the run.", unit="1", default=0.0, ge=0)


class StepSchedule(Section):
    """The learning rate is multiplied by factor after every every_epochs epochs."""

    type: Literal["step"] = field(
        "The learning rate is multiplied by factor after every every_epochs epochs."
    )
    every_epochs: int = field(
        "Number of epochs between two changes.",
        unit="epochs",
        ge=1,
        le=10_000_000,
        placeholder=1,
        example=30,
    )
    factor: float = field("Factor on the learning rate.", unit="1", gt=0, le=1, placeholder=0.5)


Schedule = Annotated[
    Annotated[ConstantSchedule, Tag("<constant>")]
    | Annotated[CosineSchedule, Tag("<cosine>")]
    | Annotated[StepSchedule, Tag("<step>")],
    Discriminator(type_tag),
]


class EarlyStopping(Section):
    """Ends the run when the loss has stopped falling."""

    patience_epochs: int = field(
        "The run ends after this number of epochs without a better loss: the loss of the "
        "validation samples if there are some, else of the training samples.",
        unit="epochs",
        ge=1,
        le=10_000_000,
        placeholder=1,
        example=20,
    )
    min_delta: float = field(
        "A loss counts as better if it is lower than the best one by more than this.",
        unit="loss",
        default=0.0,
        ge=0,
    )


class Training(Section):
    """How the network is trained."""

    epochs: int = field(
        "Passes over the training samples.",
        unit="epochs",
        ge=1,
        le=10_000_000,
        placeholder=1000,
        example=100,
    )
    seed: int = field(
        "Seed of all random numbers: initial weights, order of samples, dropout.",
        default=0,
        ge=0,
        le=(1 << 63) - 1,
    )
    batch_size: int | None = field(
        "Number of samples in one step of the optimizer; null takes all training samples.",
        unit="samples",
        default=None,
        example=32,
        ge=1,
        le=1 << 20,
    )
    validation_split: float = field(
        "Share of the training samples that is set aside for validation, rounded to whole samples; "
        "at least one sample.",
        unit="1",
        default=0.0,
        ge=0,
        lt=1,
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
    checkpoint_every_s: float = field(
        "Smallest time between two checkpoints. It is longer if saving would take more than 2% of "
        "the run's time.",
        unit="s",
        default=30.0,
        ge=0,
        le=1e6,
    )
    optimizer: Optimizer = field(
        "The optimizer, which changes the weights after each batch.", example=OPTIMIZER_EXAMPLE
    )
    schedule: Schedule = field(
        "How the learning rate changes over the run.",
        default=ConstantSchedule(type="constant"),
        example={"type": "cosine"},
    )

    def held_out(self, samples: int) -> int:
        """Returns how many of ``samples`` training samples ``validation_split`` sets aside."""
        if self.validation_split == 0:
            return 0
        return max(1, round(self.validation_split * samples))

    def without_held_out(self, samples: int | None) -> int | None:
        """Returns how many of ``samples`` training samples are left; None for an unknown number."""
        return None if samples is None else samples - self.held_out(samples)
