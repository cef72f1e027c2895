"""The way forward through a layer of neurons, from its current or from what its synapses read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from netdesc.kernels.cpu import forward
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.buffers import take
from netdesc.kernels.cpu.constants import Constants
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.places import Places, alike_in_time
from netdesc.kernels.cpu.sources import Source
from netdesc.kernels.cpu.synapses import current, currents
from netdesc.kernels.cpu.tape import run
from netdesc.kernels.cpu.there import SEEN
from netdesc.kernels.cpu.weights import half_limits, integer_vectors

PRODUCT, EVENTS = 0, 1
"""How a layer's currents came about, as ``notes[2]`` says it."""

_AT_ONCE = 1 << 20
"""Numbers of a current that may be there at once where nobody comes back for them: 4 MB."""

_PARTS = 4
"""Or this part of the layer, if that is more: the product of few neurons is slow."""

_NO_WORDS = np.empty(0, np.int32)
_NO_VALUES = np.empty(0, np.float32)
_NO_SQUARES = np.empty(0)


def room_to_note(batch: int, neurons: int) -> np.ndarray:
    """Memory for what the walk of each vector of neurons sees."""
    return take((batch * -(-neurons // LANES), SEEN), np.int32)


def notes_of(seen: np.ndarray, path: int) -> torch.Tensor:
    return notes_and_total(seen, path, _NO_SQUARES)[0]


def notes_and_total(seen: np.ndarray, path: int, squares: np.ndarray) -> tuple[torch.Tensor, float]:
    """Notes of a layer, and the sum of the squares that its walks have left."""
    notes = np.empty(4, np.int64)
    sum_of_squares = run(forward.sum_up, seen, path, notes, squares)
    # From numpy, which makes so small a tensor in a tenth of torch's time.
    return torch.from_numpy(notes), sum_of_squares


def path_of(source: Source) -> int:
    return EVENTS if isinstance(source, Events) else PRODUCT


def counts_of(seen: np.ndarray, batch: int, neurons: int) -> np.ndarray:
    """How often each neuron spiked in a walk, int32 [batch, neurons]."""
    return seen[:, 2 * LANES :].reshape(batch, -1)[:, :neurons]


def walk(
    source: Source,
    shape: tuple[int, int, int],
    weight_OI: torch.Tensor,
    bits: int | None,
    constants: Constants,
    of_voltage: Places,
    *,
    between: Callable[[np.ndarray], None] | None = None,
    hands_back: bool = False,
    out: np.ndarray = _NO_VALUES,
    words: np.ndarray = _NO_WORDS,
) -> tuple[np.ndarray, np.ndarray, int]:
    """A layer of ``shape`` (steps, samples and neurons) and what its synapses read.

    Fills ``out`` with spikes as floats, or ``words`` (see ``trains``), if one is given. Returns
    voltages, flat, what was seen (see ``there.SEEN``), and the path. Voltages are in their places
    where events bring integers straight to the neurons, else time-first: where the source is none,
    weights have no ``bits``, or something acts ``between`` synapses and neurons. A layer that
    ``hands_back`` a gradient has it in the memory of its voltages, where all threads read it.
    """
    steps, batch, size = shape
    if not isinstance(source, Events) or bits is None or between is not None:
        z = current(source, shape, weight_OI, bits)
        if between is not None:
            between(z)
        voltage = z.view(np.int32)
        seen = from_current(z, constants, out, voltage, words)
        return voltage.reshape(-1), seen, path_of(source)
    voltage, seen = take((steps * batch * size,), np.int32), room_to_note(batch, size)
    run(
        forward.forward_by_events,
        source,
        integer_vectors(weight_OI, bits),
        half_limits(bits)[0],
        *constants.there,
        out.reshape(-1),
        words,
        voltage,
        of_voltage,
        hands_back,
        seen.reshape(-1),
    )
    return voltage, seen, EVENTS


def walk_ahead(
    source: Source,
    shape: tuple[int, int, int],
    weight_OI: torch.Tensor,
    bits: int | None,
    constants: Constants,
    words: np.ndarray,
) -> tuple[np.ndarray, int]:
    """As ``walk``, for who never comes back: ``words`` is all that it leaves of a tensor's size.

    Returns what was seen, and the path. Voltages of a step take the place of those of the step
    before; a current that is whole is so for some vectors of neurons at a time.
    """
    steps, batch, size = shape
    if isinstance(source, Events) and bits is not None:
        voltage, seen = take((batch * size,), np.int32), room_to_note(batch, size)
        forward.forward_by_events(
            source,
            integer_vectors(weight_OI, bits),
            half_limits(bits)[0],
            *constants.there,
            _NO_VALUES,
            words,
            voltage,
            alike_in_time(),
            False,
            seen.reshape(-1),
        )
        return seen, EVENTS
    vectors = -(-size // LANES)
    words_BVT, seen_BVK = words.reshape(batch, vectors, steps), room_to_note(batch, size)
    seen_BVK = seen_BVK.reshape(batch, vectors, SEEN)
    of_neurons = currents(source, steps, batch, weight_OI, bits)
    at_once = max(1, _AT_ONCE // (steps * batch * LANES), vectors // _PARTS)

    def walk_part(first: int, last: int) -> None:
        neurons = first * LANES, min(size, last * LANES)
        z, part = of_neurons(*neurons), take((batch * (last - first) * steps,), np.int32)
        seen = from_current(z, constants.part(*neurons), _NO_VALUES, z.view(np.int32), part)
        words_BVT[:, first:last] = part.reshape(batch, -1, steps)
        seen_BVK[:, first:last] = seen.reshape(batch, -1, SEEN)

    for first in range(0, vectors, at_once):
        walk_part(first, min(vectors, first + at_once))
    return seen_BVK.reshape(-1, SEEN), path_of(source)


def from_current(
    z: np.ndarray,
    constants: Constants,
    out: np.ndarray,
    voltage: np.ndarray,
    words: np.ndarray = _NO_WORDS,
) -> np.ndarray:
    """Fills spikes and voltages from what arrives, ``z`` [steps, batch, neurons].

    ``voltage`` may be the memory of ``z``. Returns what was seen.
    """
    seen = room_to_note(*z.shape[1:])
    forward.forward_from_input(
        z.reshape(-1),
        *constants.there,
        z.shape[1],
        out.reshape(-1),
        words,
        voltage.reshape(-1),
        seen.reshape(-1),
    )
    return seen
