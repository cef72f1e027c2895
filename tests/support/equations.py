"""Random neurons: valid definitions, and values of their parameters and inputs.

Every value is exact in float32 and on the grid, so that no conversion rounds.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

import hypothesis.strategies as st
import numpy as np

from netdesc.neurons.definition import Definition, ParameterKind

SURROGATES = ("exponential", "fast_sigmoid", "atan", "triangle")


@dataclass(frozen=True)
class Case:
    """A neuron with what it computes on."""

    definition: Definition
    parameters: dict[str, np.ndarray]
    """Parameter of the program, in its order -> float64 [N], as a user writes it."""
    inputs_TN: list[np.ndarray]
    """int64 [T, N] each, in state units."""


@dataclass
class _Builder:
    """Writes equations, and declares the parameters that it uses."""

    draw: st.DrawFn
    inputs: tuple[str, ...]
    has_spike: bool
    states: list[str] = field(default_factory=list)
    parameters: dict[str, ParameterKind] = field(default_factory=dict)

    def choose(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(1, 100)) <= percent

    def parameter(self, kind: ParameterKind) -> str:
        known = [name for name, each in self.parameters.items() if each == kind]
        if len(known) < 2 and (not known or self.draw(st.booleans())):
            name = "threshold" if kind == "threshold" and not known else f"{kind}_{len(known)}"
            self.parameters[name] = kind
            return name
        return self.draw(st.sampled_from(known))

    def state(self) -> str:
        return self.draw(st.sampled_from(self.states))

    def share(self) -> str:
        forms = (
            lambda: self.parameter("factor"),
            lambda: self.parameter("decay"),
            lambda: f"1 - {self.parameter('decay')}",
            lambda: self.choose("0.5", "-0.25", "0.9", "-1"),
        )
        return self.draw(st.sampled_from(forms))()

    def leaf(self) -> str:
        forms = [
            lambda: self.draw(st.sampled_from(self.inputs)),
            lambda: self.choose("0", "0.5", "-1.25", "0.0002"),
            lambda: self.parameter("grid"),
        ]
        if self.states:
            forms += [self.state, self.state, lambda: f"before({self.state()})"]
        return self.draw(st.sampled_from(forms))()

    def term(self, depth: int = 2) -> str:
        """Returns a text that may stand in a sum or in a product."""
        if depth == 0 or self.chance(40):
            return self.leaf()

        def inner() -> str:
            return self.term(depth - 1)

        forms = (
            lambda: f"scaled({inner()}, {self.share()})",
            lambda: f"decay({inner()}, {self.choose('0.1', self.parameter('decay'))})",
            lambda: f"{self.draw(st.sampled_from(self.inputs))} * {self.parameter('factor')}",
            # not a multiple of a multiple, which may be refused as one that does not fit in 32 bits
            lambda: f"{self.choose('2', '-1', '3')} * {self.leaf()}",
            lambda: f"{self.choose('2', '-1', '3')} * abs({inner()})",
            lambda: f"where({self.condition()}, {inner()}, {inner()})",
            lambda: f"{self.choose('min', 'max')}({inner()}, {inner()})",
            lambda: f"abs({inner()})",
            lambda: f"clip({inner()}, {self.choose('-1', '0')}, 2)",
            lambda: f"({inner()} {self.choose('+', '-')} {inner()})",
            lambda: f"-({inner()})",
            lambda: f"stop({inner()})",
            lambda: f"straight_through({inner()}, {inner()})",
        )
        return self.draw(st.sampled_from(forms))()

    def condition(self) -> str:
        if self.has_spike and self.chance(20):
            return "before(spike)"
        first = f"{self.leaf()} {self.choose('>', '>=', '<', '<=')} {self.leaf()}"
        if self.chance(25):
            return f"({first} {self.choose('and', 'or')} {self.leaf()} > {self.leaf()})"
        return first

    def equation(self, state: str, must_read: str) -> str:
        """Returns the equation of a state that becomes known behind it."""
        kept = (
            lambda: f"decay({state}, {self.parameter('decay')})",
            lambda: f"decay({state}, {self.parameter('decay')})",
            lambda: f"scaled({state}, {self.parameter('factor')})",
            lambda: state,
        )
        sign = self.choose("+", "+", "-")
        text = f"{state} = {self.draw(st.sampled_from(kept))()} {sign} {must_read}"
        return text if self.chance(50) else f"{text} + {self.term()}"

    def spike(self, value: str, others: list[str]) -> str:
        threshold = " + ".join([self.parameter("threshold"), *others])
        if len(self.states) > 1 and self.chance(15):
            im = self.draw(st.sampled_from([each for each in self.states if each != value]))
            first = f"phase_spike({value}, {im}, {threshold})"
        elif self.chance(20):
            first = f"{threshold} {self.choose('<', '<=')} {value}"
        else:
            first = f"{value} {self.choose('>', '>=')} {threshold}"
        return f"{first} and {self.condition()}" if self.chance(20) else first

    def reset(self, state: str) -> str:
        threshold = self.parameter("threshold")
        forms = (
            lambda: "0",
            lambda: f"{state} - {threshold}",
            lambda: f"{threshold} - 0.000244140625",
            lambda: f"{state} + 2 * {threshold}",
            lambda: f"2 * {state}",
            self.term,
        )
        return f"{state} = {self.draw(st.sampled_from(forms))()}"


@st.composite
def definitions(
    draw: st.DrawFn,
    max_states: int = 5,
    result: Literal["spike", "output", "payload", "any"] = "any",
    norm: bool = False,
) -> Definition:
    """Returns valid definitions. ``payload`` has a spike and an output."""
    if result == "any":
        result = draw(st.sampled_from(("spike", "spike", "spike", "output", "payload")))
    inputs = ("x",) if draw(st.integers(1, 4)) > 1 else ("x", "y")
    build = _Builder(draw, inputs, result != "output")
    count = draw(st.integers(1, max_states))
    arriving = [f"norm({inputs[0]})" if norm else inputs[0], *inputs[1:]]
    if count == 1 or build.chance(50):
        arriving = [" + ".join(arriving)]
    step: list[str] = []
    for index in range(count):
        read = arriving[index] if index < len(arriving) else build.choose(*inputs, *build.states)
        step.append(build.equation(f"s{index}", read))
        build.states.append(f"s{index}")
    *others, value = build.states
    dead = _dead(others, value, step)
    output = " + ".join([value, *dead]) if result != "spike" else None
    spike = build.spike(value, dead) if result != "output" else None
    resets = [build.reset(each) for each in build.states if spike is not None and build.chance(50)]
    texts = " ".join([*step, *resets, spike or "", output or ""])
    used = set(re.findall(r"[a-z]\w*", texts))
    return Definition(
        tuple((name, kind) for name, kind in build.parameters.items() if name in used),
        tuple(step),
        spike,
        output,
        tuple(resets),
        inputs,
        draw(st.sampled_from(SURROGATES)),
        build.chance(20),
    )


def _dead(states: list[str], value: str, step: list[str]) -> list[str]:
    """Returns the states that ``value`` does not depend on by the step alone."""
    live: set[str] = set()
    waiting = [value]
    while waiting:
        state = waiting.pop()
        if state not in live:
            live.add(state)
            waiting += re.findall(r"\bs\d", step[int(state[1:])])
    return [each for each in states if each not in live]


_MULTIPLES: dict[str, tuple[int, int, int]] = {
    "decay": (0, 4096, 4096),
    "factor": (-4096, 4096, 4096),
    "threshold": (1, 128, 64),
    "grid": (-4096, 4096, 4096),
}
"""Kind -> smallest and largest multiple, and their denominator."""


@st.composite
def cases(
    draw: st.DrawFn,
    of: st.SearchStrategy[Definition] | None = None,
    max_steps: int = 24,
    max_neurons: int = 5,
    far: bool = False,
) -> Case:
    """Returns neurons with values. With ``far``, some inputs drive states into saturation."""
    definition = draw(definitions() if of is None else of)
    neurons = draw(st.integers(1, max_neurons))
    steps = draw(st.integers(1, max_steps))
    kinds = dict(definition.parameters)
    if any("norm(" in each for each in definition.step):
        kinds["bias"] = "grid"
    parameters: dict[str, np.ndarray] = {}
    for name, kind in kinds.items():
        low, high, unit = _MULTIPLES[kind]
        parameter = draw(st.lists(st.integers(low, high), min_size=neurons, max_size=neurons))
        parameters[name] = np.array(parameter) / unit
    if definition.spike is not None:
        for name in ("peak", "width"):
            parameters[name] = np.full(neurons, draw(st.sampled_from((0.25, 0.5, 1.0, 2.0))))
    # A seed and not a list of numbers: hypothesis would spend its time on drawing them.
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from((1.0, 0.3, 1.0, 0.0)))
    inputs_TN: list[np.ndarray] = []
    for _ in definition.inputs:
        input_TN = random.integers(-2 * 4096, 3 * 4096, (steps, neurons))
        if far:
            is_far_TN = random.random((steps, neurons)) < 0.3
            input_TN[is_far_TN] = random.integers(-400, 400, is_far_TN.sum()) << 20
        input_TN[random.random((steps, neurons)) >= density] = 0
        inputs_TN.append(input_TN)
    return Case(definition, parameters, inputs_TN)
