"""The network: a torch module that computes a graph's layers in order."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netdesc.graph import INPUT, nodes
from netdesc.kernels.checks import check_tensor
from netdesc.kernels.engine import engine_name
from netdesc.kernels.fixed_point import DEVICE_STATE_LIMIT
from netdesc.modules.block import BLOCKS, DenseBlock, run_segment
from netdesc.modules.recording import LayerRecording, record_blocks


@dataclass(frozen=True, slots=True)
class LayerReport:
    """Engine, largest states and number of output spikes of a layer's last forward pass.

    ``path`` says how the synaptic input was computed: from ``events``, or as a matrix ``product``.
    ``peak_current`` and ``peak_voltage`` are the largest magnitudes, in state units (1/4096).
    """

    name: str
    engine: str
    path: str
    peak_current: int
    peak_voltage: int
    spikes: int

    @property
    def leaves_device_range(self) -> bool:
        """Whether a state exceeded the range of the device's 24-bit states."""
        return max(self.peak_current, self.peak_voltage) > DEVICE_STATE_LIMIT


class _Layers(nn.Module):
    """Maps names to blocks. Unlike in ``nn.ModuleDict``, a block may be named like an attribute."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "training":  # torch sets this flag, also if a layer is named "training"
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)  # pyright: ignore[reportArgumentType]

    def __setitem__(self, name: str, block: nn.Module) -> None:
        self._modules[name] = block

    def __getitem__(self, name: str) -> nn.Module:
        block = self._modules[name]
        assert block is not None
        return block


class Network(nn.Module):
    """A network: maps spikes [steps, batch, *input shape] to [steps, batch, *output shape].

    ``generator`` draws the initial weights and decays; without it, torch's own generator does.
    """

    def __init__(self, graph: nodes.Graph, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.graph = graph
        self._inputs = {layer.name: layer.inputs for layer in graph.layers}
        self._output = graph.layers[-1].name
        self._readers = Counter(name for inputs in self._inputs.values() for name in inputs)
        self.layers = _Layers()
        for layer in graph.layers:
            self.layers[layer.name] = BLOCKS[type(layer)](layer, generator)
        self._neuron_layers = [layer.name for layer in graph.neuron_layers]

    def forward(self, input: Tensor) -> Tensor:
        """Returns the output layer's spikes, float32 [steps, batch, *output shape].

        ``input`` is [steps, batch, *input shape] of any real type, and is converted to float32.
        Raises TypeError if ``input`` is not a tensor, ValueError if it is complex or sparse, has
        another shape or is on another device than the network, EngineError if no engine can run on
        its device.
        """
        check_tensor(f"the input of network '{self.graph.name}'", input)
        device = input.device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            # 16 bits cannot hold sums of quantised weights.
            with torch.autocast(device, enabled=False):
                return self.forward(input)
        expected = self.graph.input_shape
        if input.dim() != 2 + len(expected) or tuple(input.shape[2:]) != expected:
            shape = ", ".join(str(size) for size in expected)
            raise ValueError(
                f"network '{self.graph.name}' takes an input of shape [steps, batch, {shape}], "
                f"not {list(input.shape)}"
            )
        if not torch.compiler.is_compiling():
            self._warn_of_swapped_axes(input)
        values, unread = {INPUT: input.to(torch.float32)}, dict(self._readers)
        for names in self._segments():
            inputs = self._inputs[names[0]]
            signals = [values[name] for name in inputs]
            for name in inputs:
                unread[name] -= 1
                if not unread[name]:  # frees memory that no later layer reads
                    del values[name]
            total = signals.pop(0)
            while signals:
                total = total + signals.pop(0)
            if len(names) == 1:
                values[names[0]] = self.layers[names[0]](total)
            else:
                blocks = [cast(DenseBlock, self.layers[name]) for name in names]
                values[names[-1]] = run_segment(blocks, total)
        return values[self._output]

    def _segments(self) -> list[list[str]]:
        """Groups the names of all layers, in order, into segments (see ``kernels.segments``).

        One operator computes all layers of a segment. Each layer in it reads only the previous
        layer, and no other layer reads that previous layer. A layer with a hook is computed alone,
        so that the hook receives the layer's input and output. A layer without neurons is computed
        alone, too.
        """
        segments: list[list[str]] = []
        is_open = False
        for name, inputs in self._inputs.items():
            block = cast(DenseBlock, self.layers[name])
            can_join = name in self._neuron_layers and block.is_fused and not block.has_hooks
            if can_join and is_open and inputs == (segments[-1][-1],):
                segments[-1].append(name)
            else:
                segments.append([name])
            is_open = can_join and self._readers[name] == 1
        return segments

    def _warn_of_swapped_axes(self, input: Tensor) -> None:
        steps, (first, second) = self.graph.steps, input.shape[:2]
        if first != steps == second > 1:
            warnings.warn(
                f"network '{self.graph.name}' reads an input of shape {list(input.shape)} as "
                f"{first} steps of {steps} samples, but its document has {steps} steps: are the "
                "axes in the wrong order? input.transpose(0, 1) exchanges them",
                stacklevel=5,
            )

    def blocks(self) -> Iterator[tuple[str, DenseBlock]]:
        """Yields name and block of each layer with synapses and neurons, in the graph's order."""
        blocks = self.layers._modules  # the attribute look-up of modules is slow
        for name in self._neuron_layers:
            yield name, cast(DenseBlock, blocks[name])

    def record(
        self, layers: Iterable[str] | str | None = None
    ) -> AbstractContextManager[dict[str, LayerRecording]]:
        """Records spikes and voltages of ``layers``: names, or one name (default: all layers that
        have neurons).

        The result is for a ``with`` statement. Within it, and afterwards, it maps the name of a
        layer to the ``LayerRecording`` of the last forward pass. ValueError if a layer does not
        exist or has no neurons.

        >>> with compiled.model.record(["hidden"]) as recording:
        ...     output_TBN = compiled.model(input_TBN)
        >>> recording["hidden"].voltages.shape
        torch.Size([1900, 1, 256])
        """
        blocks = dict(self.blocks())
        if layers is None:
            layers = blocks
        names = [layers] if isinstance(layers, str) else list(layers)
        for name in names:
            if name not in blocks:
                known = ", ".join(blocks)
                raise ValueError(f'there is no layer "{name}" with neurons; there are: {known}')
        return record_blocks({name: blocks[name] for name in names})

    def set_tau_grad(self, fraction: float) -> None:
        """Sets the width of all surrogate gradients to the value of their schedule at ``fraction``.

        ``fraction`` is the completed part of the training. Raises ValueError unless it is 0 to 1.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(
                f"{fraction} is not a part of a run from 0 to 1, such as epoch / (epochs - 1)"
            )
        for _, block in self.blocks():
            neuron = block.neuron
            tau_grad = neuron.tau_schedule.at(fraction)
            if tau_grad != neuron.tau_grad:  # setting an attribute of a module is slow
                neuron.tau_grad = tau_grad

    def project(self) -> None:
        """Clamps learnt decays to [0, 1]. To be called after each step of the optimizer."""
        for _, block in self.blocks():
            block.neuron.project()

    @torch.no_grad()
    def folded_state(self) -> dict[str, NDArray[np.float32]]:
        """Returns the state dict as arrays, with weight norms folded into the weights.

        The arrays may share memory with the network's tensors.
        """
        state = self.state_dict()
        for name, block in self.blocks():
            if block.synapse.gain is not None:
                state[f"layers.{name}.synapse.weight"] = block.synapse.folded()
                del state[f"layers.{name}.synapse.gain"]
        return {name: value.detach().cpu().numpy() for name, value in state.items()}

    def engine_report(self) -> list[LayerReport]:
        """Returns a report of the last forward pass of each layer that has run.

        If torch compiled the forward pass, the engine was not recorded; then the report names the
        engine that would compute now.
        """
        reports: list[LayerReport] = []
        for name, block in self.blocks():
            if block.notes is None:
                continue
            peak_current, peak_voltage, by_events, spikes = block.notes.tolist()
            path = "events" if by_events else "product"
            engine = block.engine or engine_name(block.notes.device)
            reports.append(LayerReport(name, engine, path, peak_current, peak_voltage, spikes))
        return reports


def build(graph: nodes.Graph, seed: int | None = None) -> Network:
    """Builds the torch module of a graph. ``seed`` determines initial weights and random decays."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return Network(graph, generator)
