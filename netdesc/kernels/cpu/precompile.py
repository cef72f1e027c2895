"""Compiles the kernels that a network needs, in two processes that share Numba's cache.

Threads would not help, because Numba compiles under a lock. The kernels are called with small
arrays, so that Numba compiles them for the types that training uses. Run as a module, this file
reads needs from its input, a line of JSON each, compiles what they name, and prints the name of
each kernel when it is compiled, and an empty line before each pass of the compiler.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numba.core import event as numba_event

import netdesc
from netdesc.kernels.cpu.engine import (
    convolution,
    convolution_backward,
    linear,
    linear_backward,
    spike_time,
)
from netdesc.kernels.cpu.gemm.gemm import matmul
from netdesc.kernels.cpu.neurons import layer_of
from netdesc.kernels.cpu.runtime import kernel_cache
from netdesc.kernels.cpu.runtime.openmp_contention import start_threads
from netdesc.kernels.cpu.runtime.simd import LANES
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.segment import source_of
from netdesc.kernels.cpu.spikes.event_list import Events
from netdesc.kernels.cpu.spikes.events_by_input import order_by_input
from netdesc.kernels.cpu.spikes.packed_spikes import bitmasks_of, packed_items, unpack
from netdesc.kernels.cpu.synapses.weights import (
    HALF_LIMITS,
    WeightMemory,
    integer_vectors,
    on_grid,
    stop_at_clamped,
)
from netdesc.kernels.cpu.walk.layer_backward import (
    Upstream,
    backward_by_events,
    backward_from_product,
    backward_to_current,
    backward_with_feedback,
)
from netdesc.kernels.cpu.walk.layer_forward import (
    LayerNeurons,
    StateMemory,
    float_output,
    forward_by_events,
    forward_from_current,
    forward_with_feedback,
)
from netdesc.kernels.engine import kernel_threads
from netdesc.kernels.kernel_shape import KernelShape
from netdesc.kernels.needs import Need
from netdesc.kernels.neurons import compile_text, make_neurons
from netdesc.kernels.packing import SavedImages

Report = Callable[[int], None]
"""Called with the number of kernels that are compiled."""

_STEPS, _BATCH, _INPUTS, _UNITS = 48, 2, 8, 192
_OUT = _STEPS, _BATCH, _UNITS


def _layer(definition: str, learn: bool) -> LayerNeurons:
    values = [torch.tensor(0.5)] * len(compile_text(definition, learn)[1].parameters)
    return layer_of(make_neurons(definition, learn, values, _UNITS, 1))


def _spikes(every: int = 3) -> torch.Tensor:
    """Returns spikes [steps, batch, inputs]; each ``every``-th number is 1."""
    numbers = torch.arange(_STEPS * _BATCH * _INPUTS).reshape(_STEPS, _BATCH, _INPUTS)
    return (numbers % every == 0).float()


def _events() -> Events:
    """Returns events, so many that ordering them by input pays."""
    rows, each = _STEPS * _BATCH, _INPUTS // 2
    sources = np.tile(np.arange(each, dtype=np.int32), rows)
    return Events(_STEPS, _BATCH, np.arange(rows + 1) * each, sources)


def _weight() -> np.ndarray:
    return np.ones((_UNITS, _INPUTS), np.float32)


def _segment() -> None:
    """What segments of all neurons use: packed spikes, lists of events, products and weights."""
    _, packed = source_of(_spikes())
    unpack(bitmasks_of(packed), (_STEPS, _BATCH, _INPUTS))
    order_by_input(_events(), _INPUTS, _UNITS, _STEPS)
    weight = _weight()
    integer_vectors(weight)
    matmul(np.ones((_STEPS, _INPUTS), np.float32), on_grid(weight).T)
    stop_at_clamped(weight, weight)


def _linear() -> None:
    for every in (1, 3):  # as a product, and from events
        linear(_spikes(every), torch.ones(_UNITS, _INPUTS))


def _linear_backward() -> None:
    for every in (1, 3):
        signal_TBI, weight_OI = _spikes(every), torch.ones(_UNITS, _INPUTS)
        z_TBO, packed = linear(signal_TBI, weight_OI)
        linear_backward(z_TBO, signal_TBI, packed, weight_OI, True)


_KERNEL_SHAPE = KernelShape((1, 1), (1, 1), (1, 1), (0, 0), 1, False)
_IMAGES = 2, 2, 2
"""Shape of the input of a convolution: channels, height and width."""


def _convolution() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Computes a convolution from events. Returns weight, output and packed spikes."""
    weight = torch.ones(_UNITS, _IMAGES[0], 3, 3)
    images = _spikes(20).unflatten(2, _IMAGES)
    return weight, *convolution(images, weight, _KERNEL_SHAPE)


def _convolution_backward() -> None:
    weight, z_TBN, packed = _convolution()
    saved = SavedImages(None, packed, _IMAGES)
    convolution_backward(z_TBN, saved, weight, _KERNEL_SHAPE, True)


def _forward(definition: str, learn: bool) -> None:
    layer = _layer(definition, learn)
    inputs = [np.ones(_OUT, np.float32) for _ in layer.program.inputs]
    forward_from_current(inputs, layer, float_output(_OUT), True)


def _forward_by_events(definition: str, learn: bool) -> None:
    layer = _layer(definition, learn)
    forward_by_events(_events(), _weight(), layer, float_output(_OUT), True)


def _stored(layer: LayerNeurons) -> np.ndarray:
    slots = len(layer.program.forward.stored)
    return np.zeros(packed_items(_OUT) * LANES * _STEPS * slots, np.int32)


_UPSTREAM = Upstream(np.ones(_STEPS * _BATCH * _UNITS, np.float32), _BATCH * _UNITS)


def _backward(definition: str, learn: bool) -> None:
    layer = _layer(definition, learn)
    backward_to_current(_UPSTREAM, layer, _stored(layer), _OUT)


def _backward_of_layer(definition: str, learn: bool) -> None:
    layer, weight = _layer(definition, learn), _weight()
    weights = WeightMemory(weight, *HALF_LIMITS, np.empty_like(weight))
    backward_by_events(_UPSTREAM, layer, _stored(layer), _events(), weights, True)
    backward_from_product(_UPSTREAM, layer, _stored(layer), _OUT)


def _weights_of(layer: LayerNeurons) -> list[np.ndarray]:
    return [np.ones((_UNITS, _UNITS), np.float32) for _ in layer.program.inputs]


def _forward_with_feedback(definition: str, learn: bool) -> None:
    layer = _layer(definition, learn)
    inputs = [np.ones(_OUT, np.float32) for _ in layer.program.inputs]
    states, weights = StateMemory(), _weights_of(layer)
    forward_with_feedback(inputs, layer, float_output(_OUT), True, states, weights)


def _backward_with_feedback(definition: str, learn: bool) -> None:
    layer = _layer(definition, learn)
    backward_with_feedback(_UPSTREAM, _weights_of(layer), layer, _stored(layer), _OUT)


def _spike_time(steps: int, decay: float, order: int, length: int) -> None:
    output_TBN = torch.zeros(steps, 1, 1)
    spike_time(output_TBN, output_TBN, decay, order, length, True)


class _Part(NamedTuple):
    call: Callable[..., object]
    """Calls the part's kernels."""
    seconds: float
    """Time that one core takes to compile it."""


@on_threads
def _start_threads() -> None:
    start_threads(np.zeros(2, np.int32))


PARTS: Mapping[str, _Part] = {
    "threads": _Part(_start_threads, 0.3),
    "segment": _Part(_segment, 3.2),
    "convolution": _Part(_convolution, 1.0),
    "convolution_backward": _Part(_convolution_backward, 0.7),
    "linear": _Part(_linear, 0.4),
    "linear_backward": _Part(_linear_backward, 1.0),
    "backward_of_layer": _Part(_backward_of_layer, 3.5),
    "forward_by_events": _Part(_forward_by_events, 2.0),
    "forward_with_feedback": _Part(_forward_with_feedback, 2.0),
    "backward_with_feedback": _Part(_backward_with_feedback, 2.0),
    "spike_time": _Part(_spike_time, 1.4),
    "forward": _Part(_forward, 1.2),
    "backward": _Part(_backward, 0.9),
}
"""Name of a part -> its kernels.

Parts without arguments, which share kernels, come first, then the others, the longest first.
"""


_START_SECONDS = 2.0
"""Seconds that the second process takes before it begins to compile."""


def precompile(
    needs: Collection[Need],
    report: Report = lambda done: None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Compiles the kernels that the cache lacks.

    ``report`` is called at the start and after each kernel, ``check`` before each pass of Numba's
    compiler in either process. To stop, ``check`` raises an exception: unlike an exception of a
    signal's handler, it leaves no lock of the compiler taken. If the cache has all kernels, neither
    is called.
    """
    missing = [each for each in needs if not kernel_cache.is_complete(each)]
    if not missing:
        return
    compiled: set[str] = set()

    def add(name: str) -> None:
        compiled.add(name)
        report(len(compiled))

    report(0)
    own, other = _divide(missing)
    with _other_process(other, add, check) as wait:
        _compile(own, add, check)
        has_compiled = wait()
    if not has_compiled:
        _compile(other, add, check)


def _divide(needs: Collection[Need]) -> tuple[list[Need], list[Need]]:
    """Divides needs between two processes, which then take about as long.

    Parts without arguments share kernels. They stay in one process, so that no kernel is compiled
    twice.
    """
    shares: tuple[list[Need], list[Need]] = [], []
    seconds = [0.0, _START_SECONDS]
    places = list(PARTS)
    for need in sorted(needs, key=lambda each: (places.index(each.part), repr(each))):
        part = PARTS[need.part]
        share = int(bool(need.arguments) and seconds[1] < seconds[0])
        shares[share].append(need)
        seconds[share] += part.seconds
    return shares


class _Listener(numba_event.Listener):
    """Calls ``check`` as an event begins, and ``add`` with the name of each compiled kernel."""

    def __init__(self, add: Callable[[str], None], check: Callable[[], None]) -> None:
        self._add, self._check = add, check

    def on_start(self, event: numba_event.Event) -> None:
        self._check()

    def on_end(self, event: numba_event.Event) -> None:
        name = kernel_cache.name_of((event.data or {}).get("dispatcher"))
        if name is not None:
            self._add(name)


def _compile(needs: Iterable[Need], add: Callable[[str], None], check: Callable[[], None]) -> None:
    """Compiles needs in this process.

    Calls ``add`` with the name of each kernel, and ``check`` before each pass of the compiler.
    """
    listener = _Listener(add, check)
    with (
        numba_event.install_listener("numba:compile", listener),
        numba_event.install_listener("numba:run_pass", listener),
    ):
        for need in needs:
            PARTS[need.part].call(*need.arguments)
            kernel_cache.mark_complete(need)


@contextlib.contextmanager
def _other_process(
    needs: Sequence[Need], add: Callable[[str], None], check: Callable[[], None]
) -> Iterator[Callable[[], bool]]:
    """Compiles ``needs`` in another process during the block, if there are several cores.

    Yields a function that waits for the end of the process, and meanwhile calls ``add`` with the
    name of each kernel, and ``check`` at least once a pass. It returns whether all needs are
    compiled; with one core, it returns False at once. At the end of the block, the process is
    killed if it still runs.
    """
    if kernel_threads() < 2 or not sys.executable or not needs:
        yield lambda: False
        return
    home = str(Path(netdesc.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        # -P: a file in the working directory must not be imported instead of a package.
        [sys.executable, "-P", "-m", __spec__.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        process_group=0,  # Ctrl-C reaches only the parent, which kills this process
    )
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # then the process has ended with an error
        process.stdin.writelines(f"{json.dumps(need)}\n" for need in needs)
        process.stdin.close()

    def wait() -> bool:
        assert process.stdout is not None
        for line in process.stdout:
            check()
            if name := line.strip():
                add(name)
        return process.wait() == 0

    with process:
        try:
            yield wait
        finally:
            process.kill()


if __name__ == "__main__":
    given = [Need(part, tuple(arguments)) for part, arguments in map(json.loads, sys.stdin)]
    _compile(given, lambda name: print(name, flush=True), lambda: print(flush=True))
