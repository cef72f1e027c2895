"""Neurons that read their own outputs of the step before: what engines compute of them.

An engine has two functions::

    recurrent(inputs_TBN, weights_NN, neurons, states, keep) -> NeuronsOutput
    recurrent_backward(grad_out_TBN, before_TBN, weights_NN, neurons, saved, want_weights)
        -> NeuronsGradients

They are ``neurons`` and ``neurons_backward`` (see ``kernels.neurons``) with weights, a float32
matrix [neurons, neurons] for each input of the program. In step t, this input is
``inputs_TBN[t] + s[t - 1] @ weights_NN.T``, computed in float32. ``s`` is the output before its
delay: spikes, or graded values in threshold units. ``states`` always end with the output of the
last step, also if there is no delay. ``before_TBN`` is ``s[t - 1]`` of all steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from netdesc.kernels.checks import check_weight
from netdesc.kernels.fixed_point import STATE_UNIT
from netdesc.kernels.neurons import Neurons


def check_weights(weights_NN: Sequence[Tensor], neurons: Neurons, input_TBN: Tensor) -> None:
    """Raises ValueError if recurrent weights do not fit the neurons and their first input."""
    names, count = neurons.program.inputs, neurons.count
    if len(weights_NN) != len(names):
        known = ", ".join(names)
        raise ValueError(
            f"{len(weights_NN)} recurrent weights do not fit; the neuron has the inputs {known}"
        )
    steps, batch, inputs = input_TBN.shape
    for weight_NN in weights_NN:
        check_weight(weight_NN, (steps, batch, inputs), input_TBN.device)
        if len(weight_NN) != count:
            shape = list(weight_NN.shape)
            raise ValueError(f"recurrent weights have shape {shape}; [{count}, {count}] is needed")


def outputs_before(
    out_TBN: Tensor, delay: int, is_graded: bool, states: Sequence[Tensor] = ()
) -> Tensor:
    """Returns the output of the step before each step, undelayed.

    ``out_TBN`` is the output of a run that began with ``states``, or from 0 if there are none.
    """
    if delay:
        return out_TBN
    first_BN = to_values(states[-1], is_graded) if states else torch.zeros_like(out_TBN[0])
    return torch.cat([first_BN.unsqueeze(0), out_TBN[:-1]])


def arrivals(
    inputs_TBN: Sequence[Tensor], weights_NN: Sequence[Tensor], before_TBN: Tensor
) -> list[Tensor]:
    """Returns what arrived at neurons in a run, from their inputs and ``outputs_before``."""
    pairs = zip(inputs_TBN, weights_NN, strict=True)
    return [each_TBN + before_TBN @ weight_NN.T for each_TBN, weight_NN in pairs]


def to_values(output: Tensor, is_graded: bool) -> Tensor:
    """Converts the output of the last step, as it stands in ``states``, to float32."""
    return output.to(torch.float32) / (STATE_UNIT if is_graded else 1)
