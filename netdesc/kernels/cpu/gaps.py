"""Terms of a matrix product that are 0 in all rows of a tile, for Numba.

With finite weights they add nothing: a tile goes through the others alone, to the same sums. A
number of the left factor is the gradient of a neuron in a step, and tiles are of few steps, one
after the other, in which a neuron has gradients or none.
"""

from __future__ import annotations

import numba
import numpy as np

from netdesc.kernels.cpu.factors import DEPTH, TILE_ROWS
from netdesc.kernels.cpu.lanes import LANES, load, spread
from netdesc.kernels.cpu.words import lowest, number_of, word_of

_WORD = np.int64((1 << LANES) - 1)

ALL = -1
"""For a tile of too few gaps, in place of the number of terms."""

_MOST = 0.9
"""The share of its terms up to which a tile goes through a list of them: that takes longer."""

assert DEPTH <= 256, "a term's number is a byte"


@numba.njit
def list_terms(numbers, first, by, depth, counts, terms):
    """For each tile of a block the numbers of its terms that are not 0, and how many there are.

    The block's rows begin at ``first`` of ``numbers`` and ``by`` numbers further each time; there
    are ``depth`` terms. Tile k has ``counts[k]`` of them in its part of ``terms``: tiles share it
    evenly, and each has room for ``depth`` at least.
    """
    bits = numbers.view(np.int32)  # none is set in 0, and one in −0, which is passed over nowhere
    words = np.empty(DEPTH // LANES, np.int64)
    for tile in range(len(counts)):
        start, some = first + tile * TILE_ROWS * by, 0
        for k in range(0, depth, LANES):
            n, at = min(LANES, depth - k), start + k
            of_rows = load(bits, at, n)
            for row in range(1, TILE_ROWS):
                of_rows = of_rows | load(bits, at + row * by, n)
            word = np.int64(word_of(of_rows != spread(np.int32(0)))) & _WORD
            words[k // LANES] = word
            some += number_of(word)
        if some > _MOST * depth:
            counts[tile] = ALL
            continue
        found = tile * (len(terms) // len(counts))
        terms[found] = 0  # whatever it is
        for k in range(0, depth, LANES):
            word = words[k // LANES]
            while word:
                terms[np.uint64(found)] = k + lowest(word)
                found += 1
                word &= word - 1
        counts[tile] = max(1, some)
