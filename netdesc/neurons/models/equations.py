"""Neurons that a document defines by equations."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field

from netdesc.neurons.definition import Definition, ParameterKind
from netdesc.neurons.models.base import Equations, NeuronSection
from netdesc.neurons.models.fields import LEARNT_RANGES, MAX_LEVEL, RANGE_TEXT
from netdesc.sections import OrPair, Section, field

IDENTIFIER_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
Identifier = Annotated[str, Field(pattern=IDENTIFIER_PATTERN, max_length=100)]
Text = Annotated[str, Field(max_length=1000)]
Number = OrPair[Annotated[float, Field(ge=-MAX_LEVEL, le=MAX_LEVEL)]]


class EquationParameter(Section):
    """A parameter of a neuron's equations."""

    kind: ParameterKind = field(
        "How the device holds the value p: a share round(4096·p) that a state keeps (factor) or "
        "loses (decay), a level trunc(64·p)/64 (threshold) or trunc(4096·p)/4096 (grid). A real "
        "number is not rounded and cannot be learnt.",
        example="decay",
    )
    value: Number = field("Its value." + RANGE_TEXT, unit="1", example=0.5)


class EquationNeuron(NeuronSection):
    """Neuron that is defined by equations over integer states.

    A name that an equation assigns is a state, 0 at first. Equations of a step are read in order:
    after its equation, a name means the new value. before(u) is what the step before has left,
    after its reset. Inputs are rounded toward 0, and numbers in equations to the nearest, to
    multiples of 1/4096.
    """

    has_own_equations = True
    source = "the document"

    type: Literal["equations"]
    parameters: dict[Identifier, EquationParameter] = field(
        'Parameters by the names that equations have for them, such as "level": {"kind": '
        '"threshold", "value": 1}.',
        default={},
        example={"level": {"kind": "threshold", "value": 1.0}},
        max_length=32,
    )
    inputs: tuple[Identifier, ...] = field(
        "Names of one or two inputs, each with its own weights.",
        default=("x",),
        min_length=1,
        max_length=2,
    )
    step: tuple[Text, ...] = field(
        "Equations of a step.", example=["v = decay(v, 0.1) + x"], min_length=1, max_length=64
    )
    spike: Text | None = field(
        "Condition of a spike. The next layer reads the spike one step later, unless this layer "
        'has "axonal_delay_step": false.',
        default=None,
        example="v > level",
    )
    output: Text | None = field(
        "Output of each step, before a reset; beside spike, the payload of the spikes.",
        default=None,
        example="v",
    )
    reset: tuple[Text, ...] = field(
        "Equations after a spike. They read what the states are before any of them.",
        default=(),
        example=["v = 0"],
        max_length=64,
    )

    def values(self) -> dict[str, Any]:
        return {name: each.value for name, each in self.parameters.items()}

    def value_kinds(self) -> dict[str, ParameterKind]:
        return {name: each.kind for name, each in self.parameters.items()}

    def value_path(self, name: str) -> tuple[str, ...]:
        return ("parameters", name, "value")

    def idle_reasons(self) -> dict[str, str]:
        payload = 'a spike carries the value of output, such as "output": "v"'
        return super().idle_reasons() | {"graded": payload}

    def learnable(self) -> dict[str, tuple[float, float]]:
        kinds = self.value_kinds().items()
        return {name: LEARNT_RANGES[kind] for name, kind in kinds if kind != "real"}

    def equations(self) -> Equations:
        step, reset = (tuple((line, "") for line in each) for each in (self.step, self.reset))
        spike, output = ((line, "") if line else None for line in (self.spike, self.output))
        return Equations(step, spike, reset, output)

    def definition(self) -> Definition:
        return replace(super().definition(), inputs=self.inputs)
