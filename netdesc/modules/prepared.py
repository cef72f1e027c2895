"""Prepares calls of a network: what calls share is found out once, and then they only run.

``PreparedNetwork`` holds the order of a network's layers in one mode, and for inputs of one shape.
"""

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from netdesc.graph import INPUT
from netdesc.graph.nodes import Signal
from netdesc.kernels.engines import engine_for, kernel_threads, requested_engine
from netdesc.kernels.layer_neurons import LayerCounts
from netdesc.kernels.operators import prepared_segment
from netdesc.kernels.segments import SegmentLayer, check_segment
from netdesc.modules.block import SynapticBlock, hook_tables, run_segment
from netdesc.modules.prepared_neurons import PreparedEquations, PreparedNeurons


class LayerCall(NamedTuple):
    """The call of a layer, or of a segment of consecutive layers."""

    names: Sequence[str]
    blocks: Sequence[Any]
    inputs: tuple[str, ...]
    last_reads: tuple[str, ...]
    """The inputs that no later layer or loss reads, so that their memory is freed."""


def order_calls(
    segments: Sequence[Sequence[str]],
    inputs: Mapping[str, tuple[str, ...]],
    readers: Mapping[str, int],
    layers: Any,
) -> list[LayerCall]:
    """Returns the calls of ``segments``, which are names of layers.

    ``inputs`` and ``readers`` map a layer to what it reads, and to how many layers and losses read
    it.
    """
    calls: list[LayerCall] = []
    unread = dict(readers)
    for names in segments:
        read = inputs[names[0]]
        for name in read:
            unread[name] -= 1
        last_reads = tuple(name for name in dict.fromkeys(read) if not unread[name])
        calls.append(LayerCall(names, [layers[name] for name in names], read, last_reads))
    return calls


def walk(
    calls: Sequence[LayerCall], input: Tensor, run: Callable[[LayerCall, Tensor], Tensor]
) -> dict[str, Tensor]:
    """Runs layers in order. Returns the outputs that losses read, and that of the last layer."""
    values = {INPUT: input.to(torch.float32)}
    for call in calls:
        signals = [*map(values.__getitem__, call.inputs)]
        for name in call.last_reads:
            del values[name]
        total = signals[0] if len(signals) == 1 else call.blocks[0].join(signals)
        signals.clear()
        values[call.names[-1]] = run(call, total)
    return values


class PreparedNetwork:
    """The calls of a network's layers, for inputs like ``input`` and the present modes.

    If ``is_observed``, a compiler or transform sees the calls: segments then are torch operators,
    and the object serves one call. Otherwise it can be kept for as long as it ``fits``.
    """

    def __init__(
        self, calls: Sequence[LayerCall], layers: Any, input: Tensor, *, is_observed: bool
    ) -> None:
        device = input.device.type
        # 16 bits cannot hold sums of quantised weights.
        self._is_autocast = torch.amp.is_autocast_available(device)
        self._is_autocast = self._is_autocast and torch.is_autocast_enabled(device)
        self._calls = calls
        self._segments: dict[str, Callable[[Tensor], Tensor]] = {}
        """Name of the last layer -> what computes its segment."""
        self._layers: dict[str, PreparedLayer] = {}
        """Other layers with neurons. What is in neither table is called as a module."""
        for names, blocks, *_ in calls:
            if not isinstance(blocks[0], SynapticBlock):
                continue
            is_called = is_observed or blocks[0].has_hooks
            if is_observed and len(names) > 1:
                self._segments[names[-1]] = functools.partial(run_segment, blocks)
            elif blocks[0].is_fused and not is_called:
                self._segments[names[-1]] = PreparedSegment(blocks, input.device).run
            elif blocks[0].read_states or not is_called:
                layer = PreparedLayer(blocks[0], input.device, is_called=is_called)
                self._layers[names[0]] = layer
        if not is_observed:
            self._watch(layers)
            self._facts = self._find_facts(input)

    def run(self, input: Tensor, states: dict[Signal, Tensor] | None) -> dict[str, Tensor]:
        """Returns the outputs that losses read. Unless it is None, adds states to ``states``."""
        if self._is_autocast:
            with torch.autocast(input.device.type, enabled=False):
                return self._walk(input, states)
        return self._walk(input, states)

    def _walk(self, input: Tensor, states: dict[Signal, Tensor] | None) -> dict[str, Tensor]:
        def run(call: LayerCall, total: Tensor) -> Tensor:
            name, block = call.names[-1], call.blocks[0]
            if name in self._segments:
                return self._segments[name](total)
            if name not in self._layers:
                return block(total)
            layer = self._layers[name]
            if states is None or not block.read_states:
                return block(total) if layer.is_called else layer.run(total, ())[0]
            out, values = layer.run(total, block.read_states)
            states.update({(name, state): value for state, value in values.items()})
            return out

        return walk(self._calls, input, run)

    def fits(self, input: Tensor) -> bool:
        """Whether modules, tensors, hooks, modes, engine and the input's shape are as before."""
        return self._find_facts(input) == self._facts

    def _watch(self, layers: nn.Module) -> None:
        modules = self._modules = [*layers.modules()]
        self._parts = [
            parts
            for module in modules
            for parts in (module._parameters, module._buffers, module._modules)
        ]
        self._hooks = [*chain.from_iterable(map(hook_tables, modules))]
        self._blocks = [module for module in modules if isinstance(module, SynapticBlock)]
        self._neurons = [block.neuron for block in self._blocks]
        values = [*chain.from_iterable(map(_VALUES, self._parts))]
        self._tensors = [value for value in values if isinstance(value, Tensor)]

    def _find_facts(self, input: Tensor) -> tuple[Any, ...]:
        """Returns what decides how to compute, all of it read by functions of C."""
        device = input.device
        return (
            [*map(id, chain.from_iterable(map(_VALUES, self._parts)))],
            [*map(_KIND, self._tensors)],
            [*map(Tensor.data_ptr, self._tensors)],
            [*map(_IS_TRAINING, self._modules)],
            [*map(len, self._hooks)],
            [*map(_WARNS, self._blocks)],
            [*map(_RECORDER, self._neurons)],
            _has_any_global_hook(),
            (input.shape, input.dtype, device, input.layout, input.is_nested),
            torch.is_autocast_enabled(device.type),
            torch.is_grad_enabled(),
            requested_engine(),
            kernel_threads(),
        )


_VALUES = operator.methodcaller("values")
_KIND = operator.attrgetter("dtype", "requires_grad", "shape")
_IS_TRAINING = operator.attrgetter("training")
_WARNS = operator.attrgetter("warns")
_RECORDER = operator.attrgetter("recorder")


class PreparedSegment:
    """Consecutive fused layers, whose engine, programs and parameters are known before a call."""

    def __init__(self, blocks: Sequence[SynapticBlock], device: torch.device) -> None:
        for block in blocks:
            block.begin_forward(device)
        self._engine = engine_for(device)
        self._layers = [_SegmentPart(block) for block in blocks]
        self._axonal = blocks[-1].neuron.axonal
        self._checked: object = None
        self._warning = [block for block in blocks if block.warns_of_nan(device)]

    def run(self, signal_TBI: Tensor) -> Tensor:
        """Returns the output of the last layer [steps, batch, units]."""
        for block in self._warning:
            block.warn_of_nan()
        layers = [*map(_SegmentPart.now, self._layers)]
        if (kind := _kind_of(signal_TBI)) != self._checked:
            check_segment(signal_TBI, layers)
            self._checked = kind
        out_TBN, counts = prepared_segment(self._engine, signal_TBI, layers)
        for layer, numbers in zip(self._layers, counts, strict=True):
            layer.attributes["counts"] = LayerCounts(numbers)
        return out_TBN if self._axonal is None else self._axonal(out_TBN)


class _SegmentPart:
    """A layer of a segment: its weights and its neurons."""

    def __init__(self, block: SynapticBlock) -> None:
        self.attributes = vars(block)  # to set them by a module's own method is slow
        self._synapse = block.synapse.parts[0]
        weight = self._synapse.on_segment_grid()
        self._count = len(weight)
        self._weight = weight if isinstance(weight, nn.Parameter) else None
        """The weights, unless they are computed from other tensors in each call."""
        neuron = block.neuron
        self._equations = PreparedEquations(neuron, neuron.equations, neuron.delay)

    def now(self) -> SegmentLayer:
        """Returns the layer as an engine computes it now."""
        weight_OI = self._synapse.on_segment_grid() if self._weight is None else self._weight
        return SegmentLayer(weight_OI, self._equations.now(self._count), [])


class PreparedLayer:
    """A layer alone, whose hooks do not run: synapses of any kind, and neurons.

    With ``is_called``, it runs only for states of its neurons, and is called as a module otherwise.
    """

    def __init__(self, block: SynapticBlock, device: torch.device, *, is_called: bool) -> None:
        block.begin_forward(device)
        self.is_called = is_called
        self._block, self._neurons = block, PreparedNeurons(block.neuron)
        self._warns = block.warns_of_nan(device)
        self._checked: object = None

    def run(self, signal: Tensor, names: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the output, and states by their ``names``, [steps, batch, *shape] each."""
        if self._warns:
            self._block.warn_of_nan()
        if self.is_called:
            self._block.warn_of_hooks("signals() and in training")
        kind = _kind_of(signal)
        is_checked, self._checked = kind == self._checked, kind
        return self._block.run(signal, self._neurons, names, is_checked=is_checked)


def _kind_of(signal: Tensor) -> tuple[Any, ...]:
    """Returns what kernels must check; a hook of an earlier layer may change it."""
    return signal.shape, signal.dtype, signal.device, signal.layout
