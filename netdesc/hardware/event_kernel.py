"""Adds the weights of inputs that are not 0. Importing this module loads Numba."""

import numpy as np
from numpy.typing import NDArray

from netdesc.kernels.cpu.runtime.kernel_cache import neuron_kernel
from netdesc.kernels.kernel_shape import Taps


@neuron_kernel
def add_weights(
    events: NDArray[np.int64],
    values: NDArray[np.int64],
    weight_GIYXO: NDArray[np.int16],
    rows: Taps,
    columns: Taps,
    sums_TGYXO: NDArray[np.int64],
) -> None:
    """Adds the weights of events, times their values, to the sums of the outputs that read them.

    ``events`` index inputs [steps, groups, channels of a group, height, width]. ``rows`` and
    ``columns`` are ``Taps``.
    """
    groups, channels = weight_GIYXO.shape[:2]
    height, width = len(rows.starts) - 1, len(columns.starts) - 1
    for e in range(len(events)):
        row, x = divmod(events[e], width)
        channel, y = divmod(row, height)
        group, i = divmod(channel, channels)
        t, g = divmod(group, groups)
        for at in range(rows.starts[y], rows.starts[y + 1]):
            for side in range(columns.starts[x], columns.starts[x + 1]):
                weight = weight_GIYXO[g, i, rows.taps[at], columns.taps[side]]
                sums = sums_TGYXO[t, g, rows.outputs[at], columns.outputs[side]]
                for o in range(len(sums)):
                    sums[o] += values[e] * np.int64(weight[o])
