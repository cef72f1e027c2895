"""Runs neurons in the device's integers, without a network."""

from collections.abc import Mapping, Sequence

import numpy as np

from netdesc.hardware import LayerIntegers
from netdesc.hardware.integer_neurons import IntegerNeurons
from netdesc.hardware.integers import integer_parameters
from netdesc.neurons.definition import Definition


def run_on_device(
    definition: Definition, parameters: Mapping[str, np.ndarray], inputs_TN: Sequence[np.ndarray]
) -> tuple[np.ndarray, IntegerNeurons]:
    """Returns output [T, N], and the neurons behind it. Arguments are as in ``run_equations``."""
    count = inputs_TN[0].shape[1]
    bias_N = np.trunc(64 * parameters.get("bias", np.zeros(count))).astype(np.int32)
    weights = (np.zeros((count, 1), np.int32),) * len(inputs_TN)
    integers = LayerIntegers(
        definition, weights, integer_parameters(definition, parameters), bias_N
    )
    neurons = IntegerNeurons(definition, integers.on_grid(), count)
    return neurons.run(inputs_TN, 0, np.zeros(len(inputs_TN[0]), np.bool_)), neurons
