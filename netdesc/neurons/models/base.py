"""Base classes of the sections of neurons: common fields, and what engines ask of a neuron."""

import json
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from math import trunc
from types import ModuleType
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import model_validator

from netdesc.neurons.definition import Definition, ParameterKind
from netdesc.neurons.models import fields
from netdesc.sections import Section, extra, field

Line = tuple[str, str]
"""An equation, and a sentence that says what it does."""


@dataclass(frozen=True, slots=True)
class Equations:
    """The equations of a neuron, as in ``Definition``, each with a sentence."""

    step: tuple[Line, ...]
    spike: Line | None = None
    reset: tuple[Line, ...] = ()
    output: Line | None = None


class NeuronSection(Section):
    """Base class of the sections of neurons.

    A neuron has its own fields, ``source`` and ``equations``. Fields made by ``decay_field``,
    ``threshold_field`` and ``parameter_field`` are its parameters.
    """

    is_shared = True
    has_own_equations: ClassVar[bool] = False
    """Whether the document writes the equations."""
    source: ClassVar[str] = ""
    """The paper or the program that the equations are from."""
    input_names: ClassVar[tuple[str, ...]] = ("x",)
    wrapped: ClassVar[tuple[str, ...]] = ()
    """States that wrap at 24 bits on the device; the others are clipped."""
    sends_changes: ClassVar[bool] = False
    """Whether the output is how much a level has changed."""
    unit_bits: ClassVar[int] = 12
    surrogate_factors: ClassVar[tuple[float, float]] = (100.0, 0.1)
    """slayer's constants: ``tau_grad`` is in units of the first, ``scale_grad`` of the second."""
    log_spaced: ClassVar[tuple[str, ...]] = ()
    """Parameters whose ranges are divided by equal ratios. From other ranges, values are drawn."""
    net_options: ClassVar[tuple[tuple[str, Any], ...] | None] = None
    """Fields, and the only value of each with which a ``.net`` file can hold the neurons. None if
    it can hold no neurons of this type."""

    tau_grad: fields.TauGrad | None = field(
        "Width of slayer's surrogate gradient in units of 100·threshold, for rf and adrf of "
        "threshold/2; or an object that changes the width over the run. Null is 1 beside "
        "scale_grad.",
        unit="1",
        default=None,
        example=1.0,
    )
    scale_grad: float | None = field(
        "Factor on slayer's surrogate gradient. Null is 1 beside tau_grad.",
        unit="1",
        default=None,
        example=1.0,
        gt=0,
    )
    surrogate: fields.Surrogate | None = field(
        "Surrogate gradient, in place of tau_grad and scale_grad. Null is that of slayer if one of "
        "these is stated, else one with the default shape, width and peak.",
        default=None,
        example={"width": 0.5, "peak": 1.0},
    )
    norm: Literal["mean", "mean_variance"] | None = field(
        'Normalisation of the argument of norm(…) in the equations: "mean" subtracts its running '
        'mean, "mean_variance" also divides by a power of two near its deviation, which '
        "thresholds or weights take over outside training, as on the device. The device adds the "
        "mean as a bias, which training, too, cuts off at -4 and 3.97.",
        default=None,
        example="mean",
    )
    dropout: float = field(
        "Probability with which a neuron gets no input for a whole sample in training.",
        unit="1",
        default=0.0,
        ge=0,
        lt=1,
    )
    per_channel: bool = field(
        "True gives each neuron its own parameters; with false, the neurons of a layer share them.",
        default=False,
    )
    learn: tuple[str, ...] = field(
        "Parameters of the neuron that training changes in addition to the weights.", default=()
    )
    persistent_state: bool = field(
        "True keeps the states from one call to the next, outside training; no gradient passes "
        "the neurons then.",
        default=False,
    )
    reset_gradient: Literal["ignore", "exact"] = field(
        'Whether gradients pass as if there were no resets ("ignore") or through them ("exact").',
        default="ignore",
    )
    graded: bool = field(
        "True sends the value of the state that reaches the threshold with each spike, in place of "
        "1. Neurons of type equations have output instead.",
        default=False,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Lists what can be learnt in the field ``learn``."""
        super().__pydantic_init_subclass__()
        known = cls.__pydantic_fields__
        names = [name for name, info in known.items() if extra(info).get("x-learnt-range")]
        if names:
            learn = copy(known["learn"])
            learn.annotation = tuple[Literal[*names], ...]
            learn.json_schema_extra = cast("Any", extra(learn) | {"x-example": names[-1:]})
            known["learn"] = learn

    @model_validator(mode="after")
    def _state_surrogate(self) -> Self:
        """States the surrogate that acts, with numbers, so that a lock holds them.

        What depends on a learnt threshold, or on one that differs from neuron to neuron, stays
        null, and so does a peak that a schedule of the width changes.
        """
        is_slayer = self.tau_grad is not None or self.scale_grad is not None
        if self.equations().spike is None or (self.surrogate is None and is_slayer):
            return self
        surrogate = self.surrogate or fields.Surrogate()
        object.__setattr__(self, "surrogate", surrogate)  # the section is frozen for others
        threshold = self.values().get("threshold", 1.0)
        if "threshold" in self.learn or isinstance(threshold, tuple):
            return self
        first = None if surrogate.width is None else fields.width_at(surrogate.width, 0.0)
        peak, width = self.surrogate_at(max(1, trunc(64 * abs(threshold))) / 64, first)
        if first != surrogate.width:
            width, peak = surrogate.width, surrogate.peak if self._spikes_by_phase else peak
        numbers = {"peak": peak, "width": width}
        object.__setattr__(self, "surrogate", surrogate.model_copy(update=numbers))
        return self

    def equations(self) -> Equations:
        """Returns the equations that the neuron's options choose."""
        raise NotImplementedError

    def values(self) -> dict[str, Any]:
        """Returns the parameters that the document gives: a number, or (low, high) to draw from.

        A parameter that is null does not occur in the equations.
        """
        known = type(self).model_fields.items()
        values = {name: getattr(self, name) for name, info in known if "x-kind" in extra(info)}
        return {name: value for name, value in values.items() if value is not None}

    def learnable(self) -> dict[str, tuple[float, float]]:
        """Maps the parameters of ``values`` that can be learnt to the ranges of learnt values."""
        known = type(self).model_fields
        ranges = {name: extra(known[name])["x-learnt-range"] for name in self.values()}
        return {name: bounds for name, bounds in ranges.items() if bounds is not None}

    def value_kinds(self) -> dict[str, ParameterKind]:
        """Maps the parameters of ``values`` to their kinds."""
        return {name: extra(type(self).model_fields[name])["x-kind"] for name in self.values()}

    def value_path(self, name: str) -> tuple[str, ...]:
        """Returns the path from this section to a parameter of ``values``."""
        return (name,)

    def parameter_kinds(self) -> dict[str, ParameterKind]:
        """Maps the parameters of the equations to their kinds, in the order of the engines."""
        return self.value_kinds()

    def idle_reasons(self) -> dict[str, str]:
        reasons: dict[str, str] = {}
        equations = self.equations()
        if equations.output is None:
            reasons["graded"] = f'a spike of "{self.type_name()}" carries no state'
        if equations.spike is None:
            names = ("tau_grad", "scale_grad", "surrogate", "reset_gradient", "graded")
            reasons |= dict.fromkeys(names, f'"{self.type_name()}" does not spike')
        elif self.surrogate is not None:
            reasons |= dict.fromkeys(("tau_grad", "scale_grad"), "surrogate replaces it")
        if not self.has_norm:
            reasons["norm"] = "the equations have no norm(…)"
        return reasons

    def idle_fields(self) -> dict[str, str]:
        # Locks of earlier versions state 1, the default of that time, beside other surrogates.
        idle = super().idle_fields().items()
        old = {name for name in ("tau_grad", "scale_grad") if getattr(self, name) == 1}
        return {name: reason for name, reason in idle if name not in old}

    def derive(self, functions: ModuleType, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the parameters of the equations, before they are rounded to the grid.

        ``functions`` is ``math`` or ``numpy`` if ``values`` are numbers. It is ``torch`` if they
        are float64 tensors, through which gradients go to learnt values.
        """
        return dict(values)

    def definition(self) -> Definition:
        """Returns the neuron's equations for the engines."""
        equations = self.equations()
        return Definition(
            parameters=tuple(self.parameter_kinds().items()),
            step=tuple(line for line, _ in equations.step),
            spike=equations.spike and equations.spike[0],
            output=equations.output and equations.output[0],
            reset=tuple(line for line, _ in equations.reset),
            inputs=self.input_names,
            surrogate="exponential" if self.surrogate is None else self.surrogate.shape,
            has_exact_reset=self.reset_gradient == "exact",
            wrapped=self.wrapped,
            unit_bits=self.unit_bits,
        )

    @property
    def net_problem(self) -> tuple[str, str] | None:
        """What a ``.net`` file cannot hold of the neurons, and the way out; None if it can."""
        if self.net_options is None:
            way_out = "train with a neuron that these files can hold, such as cuba"
            return f'has neurons of type "{self.type_name()}"', way_out
        for name, value in self.net_options:
            if getattr(self, name) != value:
                given, needed = (json.dumps(each) for each in (getattr(self, name), value))
                return f'has "{name}": {given}', f'train with "{name}": {needed}'
        return None

    @property
    def has_norm(self) -> bool:
        """Whether the equations contain ``norm(…)``, so that a norm or a bias can act."""
        return any(re.search(r"\bnorm\s*\(", line) for line, _ in self.equations().step)

    def payload(self, state: str) -> Line | None:
        """Returns the output of a neuron whose spikes carry ``state``; None if they are binary."""
        return (state, f"A spike carries {state}.") if self.graded else None

    @property
    def width_schedule(self) -> float | fields.TauGradSchedule:
        """The field that sets the width of the surrogate gradient, and may change it over a run.

        It is 1 if the threshold alone sets the width.
        """
        width = self.tau_grad if self.surrogate is None else self.surrogate.width
        return 1.0 if width is None else width

    def surrogate_at(self, threshold: Any, width: Any) -> tuple[Any, Any]:
        """Returns peak and width of the surrogate gradient, in threshold units.

        ``threshold`` (on the grid) and ``width``, the present value of ``width_schedule``, are
        numbers or tensors.
        """
        if self.surrogate is None:
            width_factor, peak_factor = self.surrogate_factors
            width = width_factor * width * threshold
            scale = 1.0 if self.scale_grad is None else self.scale_grad
            return peak_factor * scale / (2 * width), width
        if self.surrogate.width is None:
            # Locks of earlier versions, which state tau_grad beside a surrogate, mean 1 threshold.
            width = (fields.DEFAULT_WIDTH if self.tau_grad is None else 1.0) * threshold
        peak = self.surrogate.peak
        if peak is None:
            peak = fields.DEFAULT_PEAK / threshold * (4 * width if self._spikes_by_phase else 1)
        return peak, width

    @property
    def _spikes_by_phase(self) -> bool:
        spike = self.equations().spike
        return spike is not None and re.search(r"\bphase_spike\s*\(", spike[0]) is not None
