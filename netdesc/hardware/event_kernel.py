"""Adds the weights of inputs that are not 0. Importing this module loads Numba."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.kernels.cpu.runtime.kernel_cache import neuron_kernel


@neuron_kernel
def add_weights(input_TI: NDArray[Any], weight_IO: NDArray[np.int32]) -> NDArray[np.int64]:
    """Returns the sums of the weights times the input, exactly, [steps, outputs]."""
    steps, inputs = input_TI.shape
    sums_TO = np.zeros((steps, weight_IO.shape[1]), np.int64)
    for t in range(steps):
        for i in range(inputs):
            value = np.int64(input_TI[t, i])
            if value != 0:
                for o in range(weight_IO.shape[1]):
                    sums_TO[t, o] += value * weight_IO[i, o]
    return sums_TO
