"""Adds the weights of inputs that are not 0. Importing this module loads Numba."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netdesc.kernels.cpu.runtime.kernel_cache import neuron_kernel


@neuron_kernel
def add_weights(
    events: NDArray[np.int64],
    values: NDArray[np.int64],
    weight_GIYXO: NDArray[np.int32],
    rows: Any,
    columns: Any,
    sums_TGYXO: NDArray[np.int64],
) -> None:
    """Adds the weights of events, times their values, to the sums of the outputs that read them.

    ``events`` index inputs [steps, groups, channels of a group, height, width]. ``rows`` and
    ``columns`` are the starts, taps and outputs of ``AxisTaps``.
    """
    groups, channels = weight_GIYXO.shape[:2]
    height, width = len(rows[0]) - 1, len(columns[0]) - 1
    for e in range(len(events)):
        row, x = divmod(events[e], width)
        channel, y = divmod(row, height)
        group, i = divmod(channel, channels)
        t, g = divmod(group, groups)
        for at in range(rows[0][y], rows[0][y + 1]):
            for side in range(columns[0][x], columns[0][x + 1]):
                weight = weight_GIYXO[g, i, rows[1][at], columns[1][side]]
                sums = sums_TGYXO[t, g, rows[2][at], columns[2][side]]
                for o in range(len(sums)):
                    sums[o] += values[e] * np.int64(weight[o])
