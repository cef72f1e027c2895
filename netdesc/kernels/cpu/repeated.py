"""Passes through a small chain that come again and again with the same examples.

Around the kernels of a small network Python takes a fifth of the time. It finds memory, sees what
each layer reads and puts arguments together, every time the same: half of that fifth. So a pass
that comes again is noted as the kernels that it comes down to (see ``tape``). From then on they are
called again, on the same memory. What may have changed since is looked at every time: how much
layers spike, where weights are, how many threads there are, and whether gradients are still held.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Sequence
from sys import getrefcount
from typing import Any
from weakref import ref

import numpy as np
import torch
from torch import Tensor

from netdesc.kernels.cpu import (
    chain,
    forward,
    from_above,
    last_layer,
    sources,
    sums,
    trains,
    weights,
)
from netdesc.kernels.cpu.arrays import scalar
from netdesc.kernels.cpu.buffers import register
from netdesc.kernels.cpu.by_source import LENGTH, most_by_rows
from netdesc.kernels.cpu.chain import AtHand, Examples, Passed
from netdesc.kernels.cpu.descent import NO_DECAYS, takes_columns
from netdesc.kernels.cpu.end_of_sum import OfSums
from netdesc.kernels.cpu.ending import Distance, OfRates, OfTrains
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.tape import Call, recorded
from netdesc.kernels.cpu.threads import on_threads, threads

_MOST = 1 << 22
"""Values of all layers, which are floats, up to which a pass is noted.

Python is no matter where there are more. And its memory is no one else's from then on.
"""

_WEIGHTS = 4
"""There are as many values for each weight, at least.

Beside the gradients a pass that is noted holds the integers of hidden layers' weights.
"""

_LONGEST_PAUSE = 63
"""Passes until another is noted after many that came down to other kernels."""

_FREE = 2
"""How often gradients that nobody else holds are held: by our list, and while that is counted."""

_SPIKES = 3
"""Where they are in notes (see ``kernels.operators``)."""


class Passes:
    """Passes through a chain: what its layers read, and how many are idle, says ``chain``."""

    def __init__(self, reads: Sequence[tuple[int, ...]], idle: int = 0) -> None:
        self._reads, self._idle = reads, idle
        in_order = all(read == (number - 1,) for number, read in enumerate(reads))
        self._is_straight = in_order and not idle
        self._before: list[ref[Any]] = []
        """Examples and layers of the pass before."""
        self._noted: _Noted | None = None
        self._pause = self._passes_left = 0
        """How many passes are not noted after one that was in vain, and how many of them to go."""
        register(self)

    def let_go(self) -> None:
        """Forgets the noted pass, which holds as much as all else that a small network needs."""
        self._noted = None

    def differentiate(
        self,
        given: Examples,
        layers: Sequence[Layer | None],
        loss: Distance | OfRates | OfTrains | OfSums,
    ) -> tuple[Tensor, list[Passed]]:
        """See ``chain.differentiate``. What is handed out does not change afterwards."""
        alone = [layer for layer in layers if layer is not None]
        if not self._is_straight or len(alone) < len(layers):
            return chain.differentiate(given, layers, loss, self._reads, self._idle)
        assert not isinstance(loss, OfSums), "the output is a layer"
        return self._differentiate(given, alone, loss)

    def _differentiate(
        self, given: Examples, layers: Sequence[Layer], loss: Distance | OfRates | OfTrains
    ) -> tuple[Tensor, list[Passed]]:
        asked, before = (given, *layers), [each() for each in self._before]
        is_again = len(before) == len(asked) and all(map(lambda a, b: a is b, asked, before))
        noted, self._noted = self._noted, None
        if not is_again:
            self._before = [ref(each) for each in asked]
        elif noted is not None and noted.distance == loss:
            found = noted.again()
            if found is not None:
                self._noted = noted
                return found
        del noted  # its memory serves again
        if is_again and isinstance(loss, Distance) and self._can_be_noted(given, layers):
            if self._passes_left == 0:
                return self._note(given, layers, loss)
            self._passes_left -= 1
        return chain.differentiate(given, layers, loss, self._reads)

    def _can_be_noted(self, given: Examples, layers: Sequence[Layer]) -> bool:
        steps, batch, _ = given.shape
        values = steps * batch * sum(layer.outputs for layer in layers)
        number = sum(layer.weight_OI.numel() for layer in layers)
        plain = all(
            layer.is_fused and not layer.learn and layer.weight_OI.is_contiguous()
            for layer in layers
        )
        # Else hidden layers take other kernels back, and a vain note would keep rooms from serving.
        by_columns = all(
            takes_columns((steps, batch, layer.outputs), above.outputs)
            for layer, above in itertools.pairwise(layers)
        )
        return plain and by_columns and _WEIGHTS * number <= values <= _MOST

    @on_threads
    def _note(
        self, given: Examples, layers: Sequence[Layer], distance: Distance
    ) -> tuple[Tensor, list[Passed]]:
        with recorded() as calls:
            value, passed = chain.differentiate(given, layers, distance, self._reads)
        if [kernel for kernel, _ in calls] == _of_straight(len(layers)):
            noted = _Noted(calls, given.shape[:2], layers, distance)
            if noted.is_by_rows:
                self._noted, self._pause = noted, 0
                return value, noted.hand_out()
        self._pause = min(2 * self._pause + 1, _LONGEST_PAUSE)
        self._passes_left = self._pause
        return value, passed


class _Noted:
    """The calls of a pass through ``layers``, each by its number, the first layer's being 0."""

    def __init__(
        self,
        calls: list[Call],
        shape: tuple[int, int],
        layers: Sequence[Layer],
        distance: Distance,
    ) -> None:
        hidden = len(layers) - 1
        self.distance = distance
        self._layers, self._threads = layers, threads()
        self._sizes = [math.prod(shape) * layer.outputs for layer in layers]
        self._places = self._places_of_weights()
        self._there = [calls[4 * number : 4 * number + 4] for number in range(hidden)]
        self._last = calls[4 * hidden : 4 * hidden + 2]
        self._back = calls[4 * hidden + 2 :]
        of_back = [_by_name(call) for call in (*reversed(self._back), self._last[0])]
        self._grads = [
            of["grad_VLI"].reshape(-1, layer.inputs)[: layer.outputs]
            for of, layer in zip(of_back, layers, strict=True)
        ]
        self._sums = [
            sums.as_call(grad_OI.reshape(-1), of["weight_OI"].reshape(-1))
            for grad_OI, of in zip(self._grads, of_back, strict=True)
        ]
        ordered = [of["by_source"] for of in of_back[1:]]
        self.is_by_rows = not any(each is not None and each.length for each in ordered)
        """Whether what hidden layers hand on is taken by rows: by source it is put in order."""
        runs = [*(of["length"] for of in of_back[:-1]), LENGTH]
        self._most = [
            self._most_spikes(number, shape, runs[number + 1]) for number in range(hidden)
        ]
        self._seen = [_notes_of(call) for *_, call, _ in self._there] + [_notes_of(self._last[1])]
        """The notes, where each layer's are."""

    def _most_spikes(self, number: int, shape: tuple[int, int], length: int) -> float:
        """Up to how many spikes of a layer the one after it does what it has done here."""
        *_, (_, of_list) = self._there[number]
        room = len(of_list[-1])
        layer, reader = self._layers[number : number + 2]
        return min(
            room,
            sources.EVENT_DENSITY * self._sizes[number],
            most_by_rows(*shape, layer.outputs, reader.outputs, length),
        )

    def _places_of_weights(self) -> list[tuple[int, tuple[int, ...]]]:
        return [(of.weight_OI.data_ptr(), of.weight_OI.stride()) for of in self._layers]

    @on_threads
    def again(self) -> tuple[Tensor, list[Passed]] | None:
        """The same pass with the weights of now; None where it would not be the same."""
        if (
            threads() != self._threads
            or self._places_of_weights() != self._places
            or any(getrefcount(self._grads[n]) > _FREE for n in range(len(self._grads)))
        ):
            return None
        for (*first, (list_all, to_list)), seen, most in zip(
            self._there, self._seen, self._most, strict=False
        ):
            for kernel, arguments in first:
                kernel(*arguments)
            if seen.item(_SPIKES) > most:
                return None
            list_all(*to_list)
        (walk, of_walk), (sum_up, of_notes) = self._last
        walk(*of_walk)
        loss = sum_up(*of_notes)
        for kernel, arguments in self._back:
            kernel(*arguments)
        value = scalar(loss)
        if self.distance.mean:
            value = value / self._sizes[-1]
        return value, self.hand_out()

    def hand_out(self) -> list[Passed]:
        """What the passes have left, with notes that do not change any more."""
        return [
            Passed(
                torch.from_numpy(seen.copy()),
                size,
                torch.from_numpy(grad_OI),
                NO_DECAYS,
                _at_hand(call, seen),
            )
            for seen, size, grad_OI, call in zip(
                self._seen, self._sizes, self._grads, self._sums, strict=True
            )
        ]


def _at_hand(call: Call, notes: np.ndarray) -> AtHand:
    kernel, arguments = call
    squares, total = kernel(*arguments)
    return AtHand(squares, total, notes.item(_SPIKES))


def _notes_of(call: Call) -> np.ndarray:
    return _by_name(call)["notes"]


def _of_straight(layers: int) -> list[Any]:
    """The kernels of a pass through so many layers, each of which reads the one before."""
    hidden = weights._quantize_all, forward.forward_by_events, forward.sum_up, trains._list
    last = last_layer.there_and_back, forward.sum_up
    return [*hidden * (layers - 1), *last, *[from_above.adjoint_from_above] * (layers - 1)]


def _by_name(call: Call) -> dict[str, Any]:
    kernel, arguments = call
    return dict(zip(inspect.signature(kernel).parameters, arguments, strict=True))
