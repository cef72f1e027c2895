"""Fields that several neurons have: decays, thresholds, the surrogate gradient."""

import math
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from netdesc.neurons.definition import ParameterKind, SurrogateShape
from netdesc.neurons.expressions import PARAMETER_LIMIT
from netdesc.neurons.operations import STATE_UNIT
from netdesc.sections import OrPair, Section, field, form_tag

DEFAULT_SHAPE: SurrogateShape = "fast_sigmoid"
DEFAULT_WIDTH = 0.3
"""The width of a surrogate that states none, in thresholds."""
DEFAULT_PEAK = 0.5
"""The peak of a surrogate that states none, over 1/threshold."""

MAX_LEVEL = PARAMETER_LIMIT // STATE_UNIT
"""The largest threshold or other level of neurons, in threshold units. No state of a device, and no
state of training that is of use, reaches it."""

Decay = OrPair[Annotated[float, Field(ge=0, le=1)]]
Threshold = OrPair[Annotated[float, Field(ge=0, le=MAX_LEVEL)]]

RANGE_TEXT = " With per_channel also [low, high], from which each neuron draws its own."

SHARE_RANGES: dict[ParameterKind, tuple[float, float]] = {
    "decay": (0.0, 1.0),
    "factor": (-1.0, 1.0),
}
"""Kind -> the range of parameters that are a share of a state."""

LEARNT_RANGES: dict[ParameterKind, tuple[float, float]] = {
    **SHARE_RANGES,
    "threshold": (1 / 64, 2047.0),
    "grid": (-2047.0, 2047.0),
}
"""Kind -> the range to which training clamps a learnt parameter. ``real`` cannot be learnt."""


def parameter_field(
    kind: ParameterKind, text: str, *, learnt_range: tuple[float, float] | None, **more: Any
) -> Any:
    """Returns the field of a parameter of a neuron.

    ``learnt_range`` is the range to which training clamps it, None if it cannot be learnt; ``more``
    is as in ``field``.
    """
    made = field(text, **more)
    made.json_schema_extra |= {"x-kind": kind, "x-learnt-range": learnt_range}
    return made


def decay_field(text: str, *, example: float = 0.1, **more: Any) -> Any:
    """Returns the field of a decay, the share of a state that is lost in a step."""
    return parameter_field(
        "decay",
        text + " The device holds round(4096·decay)." + RANGE_TEXT,
        learnt_range=LEARNT_RANGES["decay"],
        unit="share per step",
        example=example,
        **more,
    )


def threshold_field(
    text: str, *, learnt_range: tuple[float, float] | None = LEARNT_RANGES["threshold"]
) -> Any:
    """Returns the field of a threshold, or of a step of one."""
    return parameter_field(
        "threshold",
        text + " The device holds trunc(64·x) of this number x." + RANGE_TEXT,
        learnt_range=learnt_range,
        unit="1",
        example=1.0,
    )


class TauGradSchedule(Section):
    """A surrogate width that changes over the run."""

    type: Literal["linear", "geometric"] = field(
        "How the width changes from start to end: by equal differences (linear) or by equal ratios "
        "(geometric) from epoch to epoch.",
        example="geometric",
    )
    start: float = field("Width in the first epoch.", unit="1", gt=0, example=1.0)
    end: float = field("Width in the last epoch.", unit="1", gt=0, example=1.0)


TauGrad = Annotated[
    Annotated[float, Field(gt=0), Tag("<plain>")] | Annotated[TauGradSchedule, Tag("<object>")],
    Discriminator(form_tag),
]


def width_at(width: float | TauGradSchedule, fraction: float) -> float:
    """Returns a width at a ``fraction`` of the run; 0 is the first epoch, 1 is the last."""
    if isinstance(width, (int, float)):
        return width
    if width.type == "linear":
        return width.start + (width.end - width.start) * fraction
    return width.start * math.pow(width.end / width.start, fraction)


class Surrogate(Section):
    """The derivative that training takes for that of a spike.

    At the distance d of a state from its threshold it is peak·exp(-d/width) (exponential),
    peak/(1 + d/width)² (fast_sigmoid), peak/(1 + (d/width)²) (atan) or
    peak·max(0, 1 - d/width) (triangle). For rf and adrf, gradients are products of two such bells,
    at most peak/(2·width). With width and peak null, a network whose thresholds and weights are
    multiplied by a factor learns the same.
    """

    width: TauGrad | None = field(
        "Width, in threshold units; or an object that changes the width over the run. Null is "
        f"{DEFAULT_WIDTH:g} times the parameter threshold (1 if there is none), also while it is "
        "learnt.",
        unit="1",
        default=None,
        example=0.5,
    )
    peak: float | None = field(
        f"Value at the threshold. Null is {DEFAULT_PEAK:g}/threshold; for neurons that spike by "
        "phase, 4·width times this, as their bells are multiplied.",
        unit="1",
        default=None,
        example=1.0,
        gt=0,
    )
    shape: SurrogateShape = field("Shape of the derivative.", default=DEFAULT_SHAPE)
