"""From a layer's current back to what it read, where all its neurons decay alike, for Numba.

The gradient of the current follows from its drive, the gradient of the spikes times the surrogate,
by two recurrences backward in time. With decays that are alike they can as well come after the
weights: it is the drive that is multiplied by these, and the product is carried back in time. For
a loss that compares spike trains the drive is 0 wherever none of a neuron's spikes is missing or
too many, and such terms of the product need not be computed (see ``gaps``), while the gradient of
the current is never 0.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.backward import carry
from netdesc.kernels.cpu.constants import Shares
from netdesc.kernels.cpu.lanes import LANES, load, spread, store
from netdesc.kernels.cpu.places import Places, row_of


class Carried:
    """Runs of steps that are carried back, the last ones first, and how far this has come."""

    def __init__(self, shares: Shares, batch: int, columns: int) -> None:
        self._shares, self._batch = shares, batch
        self._after = np.zeros((2, batch * columns), np.float32)

    def back(self, rows: np.ndarray, places: Places) -> None:
        """Changes ``rows`` [steps · batch, columns] in place; ``places`` say which row is which."""
        _carry_back(rows, places, self._batch, *self._shares, self._after)


@numba.njit(parallel=True, cache=True, nogil=True)
def _carry_back(rows, places, batch, of_u, of_v, after):
    """What a step leaves of u and v is ``of_u`` and ``of_v``.

    ``after`` [2, batch · columns] has the adjoints of both in the step after the run, and then
    those in its first.
    """
    columns, steps = rows.shape[1], len(rows) // batch
    vectors = (columns + LANES - 1) // LANES
    for item in numba.prange(batch * vectors):
        b, lo = item // vectors, item % vectors * LANES
        n, state, flat = min(LANES, columns - lo), b * columns + lo, rows.reshape(-1)
        share_u, share_v = spread(of_u), spread(of_v)
        g_u, g_v = load(after[0], state, n), load(after[1], state, n)
        for t in range(steps - 1, -1, -1):
            at = row_of(places, t, b) * columns + lo
            g_u, g_v = carry(load(flat, at, n), share_u, share_v, g_u, g_v)
            store(flat, at, g_u, n)
        store(after[0], state, g_u, n)
        store(after[1], state, g_v, n)
