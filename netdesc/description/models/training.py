"""Training: the optimizer, its schedule, and when to stop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.sections import Section, field, type_tag

Beta = Annotated[float, Field(ge=0, lt=1)]

OPTIMIZER_EXAMPLE = {"type": "adam", "learning_rate": 0.001}
RATE = "Step size. The schedule starts from it."


class Adam(Section):
    """Adam; weight decay is added to the gradient."""

    type: Literal["adam"] = field("Adam; weight decay is added to the gradient.")
    learning_rate: float = field(RATE, unit="1", gt=0, placeholder=1e-3)
    weight_decay: float = field("Weight decay.", unit="1", default=0.0, ge=0)
    betas: tuple[Beta, Beta] = field(
        "Shares kept, per step, of the running gradient and of the running squared gradient.",
        unit="1",
        default=(0.9, 0.999),
    )
    eps: float = field("Added to the denominator.", unit="1", default=1e-8, gt=0)


class AdamW(Section):
    """Adam whose weight decay acts on the weights, not through the gradient."""

    type: Literal["adamw"] = field("Adam whose weight decay acts on the weights themselves.")
    learning_rate: float = field(RATE, unit="1", gt=0, placeholder=1e-3)
    weight_decay: float = field("Weight decay.", unit="1", default=0.0, ge=0)
    betas: tuple[Beta, Beta] = field(
        "Shares kept, per step, of the running gradient and of the running squared gradient.",
        unit="1",
        default=(0.9, 0.999),
    )
    eps: float = field("Added to the denominator.", unit="1", default=1e-8, gt=0)


class Sgd(Section):
    """Stochastic gradient descent."""

    type: Literal["sgd"] = field("Stochastic gradient descent.")
    learning_rate: float = field(RATE, unit="1", gt=0, placeholder=1e-3)
    weight_decay: float = field("Weight decay.", unit="1", default=0.0, ge=0)
    momentum: float = field(
        "Share of the last step kept in the next.", unit="1", default=0.0, ge=0, lt=1
    )
    nesterov: bool = field("True looks ahead along the momentum.", default=False)


Optimizer = Annotated[
    Annotated[Adam, Tag("<adam>")]
    | Annotated[AdamW, Tag("<adamw>")]
    | Annotated[Sgd, Tag("<sgd>")],
    Discriminator(type_tag),
]


class ConstantSchedule(Section):
    """The same learning rate throughout."""

    type: Literal["constant"] = field("The same learning rate throughout.")


class CosineSchedule(Section):
    """A linear warm-up, then half a cosine down to final_rate."""

    type: Literal["cosine"] = field("A linear warm-up, then half a cosine down to final_rate.")
    warmup_epochs: int = field(
        "Epochs in which the rate rises linearly to learning_rate.",
        unit="epochs",
        default=0,
        ge=0,
        le=10_000_000,
    )
    final_rate: float = field("Learning rate at the end of the run.", unit="1", default=0.0, ge=0)


class StepSchedule(Section):
    """The rate is multiplied by factor every so many epochs."""

    type: Literal["step"] = field("The rate is multiplied by factor every every_epochs epochs.")
    every_epochs: int = field(
        "Epochs between two changes.", unit="epochs", ge=1, le=10_000_000, placeholder=1, example=30
    )
    factor: float = field("Factor on the learning rate.", unit="1", gt=0, le=1, placeholder=0.5)


Schedule = Annotated[
    Annotated[ConstantSchedule, Tag("<constant>")]
    | Annotated[CosineSchedule, Tag("<cosine>")]
    | Annotated[StepSchedule, Tag("<step>")],
    Discriminator(type_tag),
]


class EarlyStopping(Section):
    """Ends the run when the loss no longer falls."""

    patience_epochs: int = field(
        "Epochs without a better loss after which the run ends.",
        unit="epochs",
        ge=1,
        le=10_000_000,
        placeholder=1,
        example=20,
    )
    min_delta: float = field(
        "By how much a loss must be lower to count as better.", unit="loss", default=0.0, ge=0
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
        "Samples in one step of the optimizer; null takes the whole set.",
        unit="samples",
        default=None,
        example=32,
        ge=1,
        le=1 << 20,
    )
    validation_split: float = field(
        "Share of the training samples that is set aside for validation: rounded, at least one.",
        unit="1",
        default=0.0,
        ge=0,
        lt=1,
    )
    gradient_clip: float | None = field(
        "Largest length (L2) of the gradient of all parameters together; a longer one is "
        "shortened. Null leaves it.",
        unit="1",
        default=None,
        example=1.0,
        gt=0,
    )
    early_stopping: EarlyStopping | None = field(
        "When to end before the last epoch; null never does.",
        default=None,
        example={"patience_epochs": 20},
    )
    checkpoint_every_s: float = field(
        "Time between two checkpoints.", unit="s", default=30.0, ge=0, le=1e6
    )
    optimizer: Optimizer = field("What changes the weights.", example=OPTIMIZER_EXAMPLE)
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
