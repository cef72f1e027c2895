"""Random runs of the operator ``neurons`` with recurrent weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import assume
from hypothesis import strategies as st
from support.cuba_cases import device_of
from support.neuron_cases import KNOWN, NeuronCase, neuron_cases
from torch import Tensor

from netdesc.exchange.verification import EXACT_SUM
from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine
from netdesc.kernels.layer_neurons import outputs_before
from netdesc.neurons.definition import Definition


@dataclass
class RecurrentCase:
    """A run of neurons that read their own outputs; ``weights_NN`` are on the grid of weights."""

    neurons: NeuronCase
    weights_NN: list[Tensor]
    engine: str = "reference"

    def on(self, engine: str) -> "RecurrentCase":
        device = device_of(engine)
        weights_NN = [each.to(device) for each in self.weights_NN]
        return RecurrentCase(self.neurons.to(device), weights_NN, engine)

    def zero_states(self) -> list[Tensor]:
        number = len(self.neurons.neurons().program.states) + 2
        zeros = torch.zeros(self.neurons.shape[1:], dtype=torch.int32)
        return [zeros.to(self.weights_NN[0].device)] * number

    def run(
        self, states: Sequence[Tensor] = (), keep: bool = False, steps: slice = slice(None)
    ) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        """Calls the operator: returns output, counts, final states and saved tensors."""
        case = self.neurons
        inputs = [each[steps] for each in case.inputs_TBN]
        arguments = list(states), case.definition.to_text(), case.delay, True, keep
        with use_engine(self.engine):
            return operators.neurons(inputs, self.weights_NN, case.parameters, *arguments)

    def largest_sum(self) -> float:
        """Returns the largest that a sum of outputs times weights, and a part of it, could be."""
        out_TBN, *_ = self.run()
        before_TBN = outputs_before(out_TBN, self.neurons.delay, self.neurons.neurons().is_graded)
        sums = [before_TBN.abs() @ each_NN.abs().T for each_NN in self.weights_NN]
        return max(float(each.max()) for each in sums)

    def without_loop(self) -> NeuronCase:
        """Returns a run without recurrence, in which the same numbers arrive at the neurons."""
        case = self.neurons
        out_TBN, *_ = self.run()
        before_TBN = outputs_before(out_TBN, case.delay, case.neurons().is_graded).double()
        inputs_TBN = [
            (each_TBN.double() + before_TBN @ weight.double().T).float()
            for each_TBN, weight in zip(case.inputs_TBN, self.weights_NN, strict=True)
        ]
        return NeuronCase(case.definition, inputs_TBN, case.parameters, case.delay)


@st.composite
def recurrent_cases(
    draw: st.DrawFn, definitions: st.SearchStrategy[Definition] = KNOWN
) -> RecurrentCase:
    """Returns runs in which many or few neurons fire, with one neuron and with several vectors.
    Sums of graded values are so small that float32 holds them exactly."""
    case = draw(neuron_cases(definitions, sizes=(0.1, 1.0, 10.0)))
    count = case.shape[2]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.0, 0.1, 2.0]))
    if case.definition.output is not None:
        scale = min(scale, 0.1)
        case.inputs_TBN = [(64 * each.clamp(-1, 1)).round() / 64 for each in case.inputs_TBN]
    weights = [
        torch.from_numpy(2 * np.round(32 * rng.normal(0, scale, (count, count))) / 64).float()
        for _ in case.inputs_TBN
    ]
    made = RecurrentCase(case, weights)
    if case.definition.output is not None:
        assume(made.largest_sum() + 1 < EXACT_SUM)  # inputs are from -1 to 1
    return made
