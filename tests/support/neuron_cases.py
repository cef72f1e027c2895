"""Random runs of the operator ``neurons``: definitions, inputs and parameters as tensors."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from hypothesis import strategies as st
from support import equations, neuron_definitions
from support.cuba_cases import device_of
from torch import Tensor

from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine
from netdesc.kernels.layer_neurons import KernelNeurons, make_neurons
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition
from netdesc.neurons.mistakes import EquationError

MIXED = Definition(
    parameters=(
        ("threshold", "threshold"),
        ("leak", "decay"),
        ("gain", "factor"),
        ("rest", "grid"),
    ),
    step=(
        "u = decay(u - w, leak) + clip(x, -2, 2) + where(before(spike), rest, -0.25)",
        "w = scaled(w, 0.25) + abs(u) - min(before(v), u) + gain * max(u, rest)",
        "v = decay(v, leak) + where(w > 1, -u, u + 0.5) + stop(w)",
    ),
    spike="threshold + w < v and u > -3",
    output="v - threshold",
    reset=("v = v - 3 * threshold", "w = straight_through(w - rest, v)"),
    surrogate="triangle",
)

DEFINITIONS = neuron_definitions.DEFINITIONS | {
    "payload": replace(neuron_definitions.RF, output="re", surrogate="fast_sigmoid"),
    "mixed": MIXED,
    "mixed_exact": neuron_definitions.exact(MIXED),
    "state": replace(neuron_definitions.exact(MIXED), signal="u"),
}

KNOWN = st.sampled_from(list(DEFINITIONS)).map(DEFINITIONS.__getitem__)


def fits_in_32_bits(definition: Definition) -> bool:
    """Whether a valid definition compiles: whether no sum in it can be too large."""
    try:
        compile_neuron(definition, learn=True)
    except EquationError:
        return False
    return True


RANDOM = equations.definitions().filter(fits_in_32_bits)
KNOWN_AND_RANDOM = st.one_of(KNOWN, RANDOM)

_RANGES = {
    "decay": (-0.1, 1.1),
    "factor": (-1.1, 1.1),
    "threshold": (0.0, 1.0),
    "grid": (-0.3, 0.3),
    "real": (0.1, 1.0),
}
"""Kind -> parameters, some of which are clamped."""


@dataclass
class NeuronCase:
    """A run of neurons: float32 inputs [steps, batch, neurons] and parameters, [] or [neurons]."""

    definition: Definition
    inputs_TBN: list[Tensor]
    parameters: list[Tensor]
    delay: int

    def neurons(self) -> KernelNeurons:
        count = self.inputs_TBN[0].shape[2]
        return make_neurons(self.definition.to_text(), True, self.parameters, count, self.delay)

    @property
    def shape(self) -> tuple[int, int, int]:
        steps, batch, count = self.inputs_TBN[0].shape
        return steps, batch, count

    def to(self, device: torch.device) -> "NeuronCase":
        inputs, parameters = (
            [each.to(device) for each in tensors] for tensors in (self.inputs_TBN, self.parameters)
        )
        return replace(self, inputs_TBN=inputs, parameters=parameters)

    def zero_states(self) -> list[Tensor]:
        number = len(self.neurons().program.states) + 1 + self.delay
        return [torch.zeros(self.shape[1:], dtype=torch.int32)] * number

    @property
    def learnable(self) -> list[str]:
        kinds = self.neurons().program.parameters.items()
        return [name for name, kind in kinds if kind != "real"]

    def run(
        self,
        engine: str = "reference",
        states: list[Tensor] | None = None,
        keep: bool = False,
        steps: slice = slice(None),
    ) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        """Calls the operator: returns output, counts, final states and saved tensors."""
        inputs = [each[steps] for each in self.inputs_TBN]
        text = self.definition.to_text()
        with use_engine(engine):
            return operators.neurons(
                inputs, [], self.parameters, states or [], text, self.delay, True, keep
            )

    def gradients(self, grad_out_TBN: Tensor, engine: str = "reference") -> dict[str, Tensor]:
        """Returns gradients of inputs and learnable parameters, by name."""
        program = self.neurons().program
        leaves = dict(zip(program.inputs, self.inputs_TBN, strict=True))
        leaves |= dict(zip(program.parameters, self.parameters, strict=True))
        leaves = {name: leaves[name] for name in (*program.inputs, *self.learnable)}
        for leaf in leaves.values():
            leaf.requires_grad_()
        out_TBN, *_ = self.run(engine, keep=True)
        grads = torch.autograd.grad(out_TBN, list(leaves.values()), grad_out_TBN)
        return dict(zip(leaves, grads, strict=True))

    def check_gradients(self, engine: str, seed: int) -> None:
        """Compares gradients of an engine with those of the reference.

        A parameter's gradient is a sum over steps and samples, whose terms may cancel. So its error
        is measured by the largest of all gradients. Paths from an input to the output may cancel,
        too: the error is then that of float32 in the gradients of the output and of thresholds.
        What is derived from states beyond 24 bits, which float32 rounds, is less exact.
        """
        rng = np.random.default_rng(seed)
        grad_out_TBN = torch.from_numpy(rng.normal(size=self.shape)).float()
        expected = self.gradients(grad_out_TBN)
        device = device_of(engine)
        own = self.to(device).gradients(grad_out_TBN.to(device), engine)
        sizes = {name: float(each.abs().max()) for name, each in expected.items()}
        kinds, largest = self.neurons().program.parameters, max(sizes.values())
        cancelling = [sizes[name] for name in sizes if kinds.get(name) in ("threshold", "grid")]
        cancelled = max([float(grad_out_TBN.abs().max()), *cancelling])
        *peaks, _, _ = self.run()[1].tolist()
        inexact = max(1.0, *(peak / 2**24 for peak in peaks))
        for name, each in expected.items():
            size = largest if name in kinds else sizes[name]
            error = float((own[name].cpu() - each).abs().max())
            assert error <= inexact * (1e-5 * size + 2**-22 * cancelled), name


@st.composite
def neuron_cases(
    draw: st.DrawFn,
    definitions: st.SearchStrategy[Definition] = KNOWN_AND_RANDOM,
    sizes: tuple[float, ...] = (0.1, 1.0, 30.0, 1e5),
) -> NeuronCase:
    """Returns runs with values on the grid (so that ties occur) and beside it. ``sizes`` are
    standard deviations of inputs. The largest ones drive states into saturation."""
    definition = draw(definitions)
    shape = tuple(draw(st.integers(1, most)) for most in (12, 3, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.sampled_from(sizes))
    unit = draw(st.sampled_from([4, 64, 1 << 20]))

    def tensor(values: np.ndarray | float) -> Tensor:
        return torch.from_numpy(np.asarray(np.round(values * unit) / unit, np.float32))

    inputs = [tensor(rng.normal(0.1, size, shape)) for _ in definition.inputs]
    kinds = compile_neuron(definition, learn=False).parameters.values()
    parameters = [
        torch.tensor(rng.uniform(*_RANGES[kind]), dtype=torch.float32)
        if kind == "real"
        else tensor(rng.uniform(*_RANGES[kind], () if rng.random() < 0.5 else shape[2:]))
        for kind in kinds
    ]
    return NeuronCase(definition, inputs, parameters, draw(st.integers(0, 1)))


def case_of(case: equations.Case, delay: int) -> NeuronCase:
    """Returns a run of random equations, in two samples: forward and backward in time."""
    unit = 1 << case.definition.unit_bits
    inputs = [
        torch.from_numpy(np.stack([each_TN, each_TN[::-1]], 1) / unit).to(torch.float32)
        for each_TN in case.inputs_TN
    ]
    parameters = [torch.from_numpy(each).to(torch.float32) for each in case.parameters.values()]
    return NeuronCase(case.definition, inputs, parameters, delay)
