"""The definition of the operator ``recurrent``: neurons step by step, in plain torch."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from netdesc.kernels.grid import truncate
from netdesc.kernels.layer_neurons import KernelNeurons, NeuronsGradients, NeuronsOutput, to_values
from netdesc.kernels.reference.neurons import neurons, neurons_backward

Run = Callable[[Sequence[Tensor], KernelNeurons, Sequence[Tensor], bool], NeuronsOutput]


def recurrent_by_steps(
    run: Run,
    inputs_TBN: Sequence[Tensor],
    weights_NN: Sequence[Tensor],
    neurons: KernelNeurons,
    states: Sequence[Tensor],
    keep: bool,
) -> NeuronsOutput:
    """Runs neurons, as ``kernels.layer_neurons`` says, with the function ``neurons`` of an engine.

    Saves what ``reference.recurrent_backward`` needs.
    """
    steps, *shape = inputs_TBN[0].shape
    zeros = torch.zeros(shape, dtype=torch.int32, device=inputs_TBN[0].device)
    count = len(neurons.program.states)
    after = list(states) or [zeros] * (count + 2)
    # With a delay, the states end with the output of the last step.
    delayed = dataclasses.replace(neurons, delay=1)
    peaks = torch.zeros(count, dtype=torch.int64, device=zeros.device)
    saved: list[list[Tensor]] = []
    out: list[Tensor] = [to_values(after[-1], neurons.is_graded)]
    path = torch.zeros(1, dtype=torch.int64, device=zeros.device)
    for t in range(steps):
        pairs = zip(inputs_TBN, weights_NN, strict=True)
        z_TBN = [each_TBN[t : t + 1] + out[-1] @ weight.T for each_TBN, weight in pairs]
        result = run(z_TBN, delayed, after, False)
        after = result.states
        out.append(to_values(after[-1], neurons.is_graded))
        peaks = torch.maximum(peaks, result.notes[:count])
        path = result.notes[count : count + 1]
        if keep:
            saved.append([truncate(each, neurons.state_unit)[0] for each in z_TBN])
    out_TBN = torch.stack(out[:-1] if neurons.delay else out[1:])
    return NeuronsOutput(
        out_TBN,
        torch.cat([peaks, path, out_TBN.count_nonzero().reshape(1)]),
        after if states else [],
        [torch.stack(each) for each in zip(*saved, strict=True)],
    )


recurrent = functools.partial(recurrent_by_steps, neurons)


def recurrent_backward(
    grad_out_TBN: Tensor,
    before_TBN: Tensor,
    weights_NN: Sequence[Tensor],
    layer: KernelNeurons,
    saved: Sequence[Tensor],
    want_weights: bool,
) -> NeuronsGradients:
    """See ``kernels.layer_neurons``."""
    gradients = neurons_backward(grad_out_TBN, layer, saved, weights_NN)
    return gradients if want_weights else gradients._replace(weights_NN=[])
