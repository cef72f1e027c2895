"""The network: a torch module that computes a graph's layers in order."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netdesc.caller import warn
from netdesc.graph import nodes
from netdesc.graph.nodes import OUTPUT, Signal
from netdesc.kernels.checks import check_tensor
from netdesc.kernels.engines import engine_name
from netdesc.kernels.fixed_point import DEVICE_STATE_LIMIT
from netdesc.kernels.layer_neurons import EVENTS
from netdesc.kernels.registration import is_observed
from netdesc.modules.block import SynapticBlock, make_block
from netdesc.modules.plain import Block
from netdesc.modules.prepared import LayerCall, PreparedNetwork, order_calls, walk
from netdesc.modules.recording import LayerRecording, record_neurons
from netdesc.modules.values import Layers

_MAX_PREPARED = 6
"""Number of prepared calls that are kept: training and validation, and their last batches. Batches
that are divided into shards have two sizes each."""

State = dict[str, list[Tensor]]
"""Name of a layer -> its states between two pieces of a stream.

Those of neurons are int32 [batch, neurons]."""


@dataclass(frozen=True, slots=True)
class LayerReport:
    """Engine, largest states and number of output spikes of a layer's last forward pass.

    ``path`` says how the synaptic input was computed: from ``events``, or as a matrix ``product``.
    ``peaks`` are the largest magnitudes of the neurons' states before their reset, by the names
    of the equations, in state units (1/4096). ``spikes`` counts outputs that are not 0.
    """

    name: str
    engine: str
    path: str
    peaks: Mapping[str, int]
    spikes: int

    @property
    def leaves_device_range(self) -> bool:
        """Whether a state exceeded the range of the device's 24-bit states."""
        return max(self.peaks.values()) > DEVICE_STATE_LIMIT


class Network(nn.Module):
    """A network: maps spikes [steps, batch, *input shape] to [steps, batch, *output shape].

    ``generator`` draws the initial weights and values of neurons; without it, torch's own
    generator does.
    """

    def __init__(self, graph: nodes.Graph, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.graph = graph
        self._inputs = {layer.name: layer.inputs for layer in graph.layers}
        self._output, self._read = graph.layers[-1].name, graph.signals
        self._readers = Counter(name for inputs in self._inputs.values() for name in inputs)
        self._readers.update(name for name, signal in graph.signals if signal == OUTPUT)
        self._prepared: list[PreparedNetwork] = []
        self.layers = Layers()
        for layer in graph.layers:
            self.layers[layer.name] = make_block(layer, generator)
        self._neuron_layers = [layer.name for layer in graph.neuron_layers]
        for name, block in self.blocks():
            states = [state for layer, state in graph.signals if layer == name and state != OUTPUT]
            block.read_states = tuple(states)

    def forward(self, input: Tensor) -> Tensor:
        """Returns the output layer's spikes, float32 [steps, batch, *output shape].

        ``input`` is [steps, batch, *input shape] of any real type, and is converted to float32.
        Raises TypeError if ``input`` is not a tensor, ValueError if it is complex or sparse, has
        another shape or is on another device than the network, EngineError if no engine can run on
        its device.
        """
        return self._prepare(input).run(input, None)[self._output]

    def signals(self, input: Tensor) -> dict[Signal, Tensor]:
        """Returns what the losses and regularizers of the document read, with gradient.

        ``input`` and errors are those of a call of the network. The result maps (layer, "output")
        to the layer's output, float32 [steps, batch, *shape], among them that of the last layer,
        and (layer, state) to a state of its neurons before the reset, in threshold units. States
        have no axonal delay.

        >>> signals = compiled.model.signals(input_TBN)
        >>> loss = compiled.loss(signals, target_TBN)
        """
        states: dict[Signal, Tensor] = {}
        values = self._prepare(input).run(input, states)
        return {each: states[each] if each in states else values[each[0]] for each in self._read}

    def _prepare(self, input: Tensor) -> PreparedNetwork:
        """Returns a prepared call for inputs like ``input``; the last few of them are kept."""
        is_seen = is_observed()
        if not is_seen and isinstance(input, Tensor):
            for prepared in self._prepared:
                if prepared.fits(input):
                    return prepared
        self._check_input(input)
        if not torch.compiler.is_compiling():
            self._warn_of_swapped_axes(input)
        calls = order_calls(self._segments(), self._inputs, self._readers, self.layers)
        prepared = PreparedNetwork(calls, self.layers, input, is_observed=is_seen)
        if not is_seen:
            object.__setattr__(self, "_prepared", [prepared, *self._prepared[: _MAX_PREPARED - 1]])
        return prepared

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out the prepared calls: a copy prepares its own."""
        return vars(self) | {"_prepared": []}

    @torch.no_grad()
    def stream(self, input: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Computes the next steps of a stream. Returns their output and the state after them.

        ``state`` is what the call before returned; without it, all neurons begin at 0. A stream in
        pieces of any length has the same output as in one call, without gradient. A network in
        training mode is refused, because dropout and the norms of batches would differ by piece.
        ``input`` and output are as those of a call of the network. Raises ValueError also if the
        number of samples changes or ``state`` is of another network, and what a call raises.

        >>> state = None
        >>> for chunk_TBN in input_TBN.split(100):
        ...     output_TBN, state = compiled.model.eval().stream(chunk_TBN, state)
        """
        if self.training:
            raise ValueError("stream() needs a network outside training: call eval() first")
        self._check_input(input)
        names = sorted(name for name in self._inputs if cast(Block, self.layers[name]).has_states)
        actual = sorted(state) if isinstance(state, dict) else type(state).__name__
        if state is not None and actual != names:
            raise ValueError(f"a state that stream() returned has the layers {names}, not {actual}")
        before, after = state or {}, State()

        def run(call: LayerCall, total: Tensor) -> Tensor:
            ((name,), (block,), *_) = call
            out, states = block.stream(total, before.get(name, ()))
            if block.has_states:
                after[name] = states
            return out

        return self.walk(input, run), after

    def walk(self, input: Tensor, run: Callable[[LayerCall, Tensor], Tensor]) -> Tensor:
        """Returns the output of the last layer. ``run`` computes each layer, from its input."""
        layers = [[name] for name in self._inputs]
        calls = order_calls(layers, self._inputs, self._readers, self.layers)
        return walk(calls, input, run)[self._output]

    def reset_state(self) -> None:
        """Lets neurons with ``persistent_state`` begin at 0 in the next call."""
        for _, block in self.blocks():
            block.neuron.kept_states = []

    @contextlib.contextmanager
    def evaluating(self) -> Iterator[None]:
        """Within the block, the network is in evaluation mode, and its neurons begin at 0.

        After it, each module has its mode again, and each neuron the states that it keeps.
        """
        modes = [(module, module.training) for module in self.modules()]
        saved_states = [(block.neuron, block.neuron.kept_states) for _, block in self.blocks()]
        self.eval()
        self.reset_state()
        try:
            yield
        finally:
            for module, is_training in modes:
                module.training = is_training
            for neuron, states in saved_states:
                neuron.kept_states = states

    def _segments(self) -> list[list[str]]:
        """Groups the names of all layers, in order, into segments (see ``kernels.segments``).

        One operator computes all layers of a segment. Each layer in it reads only the previous
        layer, whose spikes no other layer reads. A layer with a hook is computed alone,
        so that the hook receives the layer's input and output. A layer without neurons is computed
        alone, too. A layer whose output a loss reads ends a segment.
        """
        segments: list[list[str]] = []
        is_open = False
        for name, inputs in self._inputs.items():
            block = cast(SynapticBlock, self.layers[name])
            if name in self._neuron_layers and not hasattr(block, "is_fused"):
                raise TypeError(f'layer "{name}" was replaced by a {type(block).__name__}')
            can_join = name in self._neuron_layers and block.is_fused and not block.has_hooks
            if can_join and is_open and inputs == (segments[-1][-1],):
                segments[-1].append(name)
            else:
                segments.append([name])
            is_open = can_join and self._readers[name] == 1 and not block.neuron.is_graded
            is_open = is_open and block.neuron.axonal is None
        return segments

    def _check_input(self, input: Tensor) -> None:
        check_tensor(f"the input of network '{self.graph.name}'", input)
        expected = self.graph.input_shape
        if input.dim() != 2 + len(expected) or tuple(input.shape[2:]) != expected:
            shape = ", ".join(str(size) for size in expected)
            raise ValueError(
                f"network '{self.graph.name}' takes an input of shape [steps, batch, {shape}], "
                f"not {list(input.shape)}"
            )

    def _warn_of_swapped_axes(self, input: Tensor) -> None:
        steps, (first, second) = self.graph.steps, input.shape[:2]
        if first != steps == second > 1:
            warn(
                f"network '{self.graph.name}' reads an input of shape {list(input.shape)} as "
                f"{first} steps of {steps} samples, but its document has {steps} steps: are the "
                "axes in the wrong order? input.transpose(0, 1) exchanges them"
            )

    def blocks(self) -> Iterator[tuple[str, SynapticBlock]]:
        """Yields name and block of each layer with synapses and neurons, in the graph's order."""
        for name in self._neuron_layers:
            yield name, self.layers[name]

    def record(
        self, layers: Iterable[str] | str | None = None
    ) -> AbstractContextManager[dict[str, LayerRecording]]:
        """Records output and states of ``layers``: names, or one name (default: all layers that
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
        return record_neurons({name: blocks[name].neuron for name in names})

    def set_tau_grad(self, fraction: float) -> None:
        """Sets the width of all surrogate gradients to the value of their schedule at ``fraction``.

        ``fraction`` is the completed part of the training. A backward pass has the width of its
        forward pass. Raises ValueError unless ``fraction`` is 0 to 1.
        """
        if not 0.0 <= fraction <= 1.0:
            raise ValueError(
                f"{fraction} is not a part of a run from 0 to 1, such as epoch / (epochs - 1)"
            )
        for _, block in self.blocks():
            block.neuron.surrogate.set(fraction)

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """Yields parameters by their names in the state dict."""
        seen: set[nn.Parameter] = set()
        for name, value in self.state_dict(keep_vars=True).items() if recurse else ():
            if isinstance(value, nn.Parameter) and not (remove_duplicate and value in seen):
                seen.add(value)
                yield f"{prefix}.{name}" if prefix else name, value

    def project(self) -> None:
        """Clamps learnt values of neurons to their ranges, such as decays to [0, 1].

        To be called after each step of the optimizer.
        """
        for _, block in self.blocks():
            block.neuron.project()

    def dither(self, seed: int = 0) -> None:
        """Moves values on the device's grid to random ones that round to the same grid values.

        Call it before you train on from a ``.net`` file in a loop of your own; ``netdesc.train``
        does it with the weights that a document names. Such a file holds rounded values. An
        optimizer moves all values by about as much in a step, so they would all round to other
        values at once, and the network would lose what it had learnt. Outputs stay equal to the
        bit. Weights, biases or delays of a layer change only if they learn and all are on the grid.
        ``seed`` determines the values.
        """
        # Seeds of documents are not negative: these numbers are independent of initial weights.
        generator = torch.Generator().manual_seed(-1 - seed)
        for _, block in self.blocks():
            for synapse in block.synapses.values():
                synapse.dither(generator)
            block.neuron.dither(generator)

    @torch.no_grad()
    def folded_state(self) -> dict[str, NDArray[np.float32]]:
        """Returns the state dict as arrays, with masks and weight norms folded into the weights.

        The arrays may share memory with the network's tensors.
        """
        state = self.state_dict()
        for name, block in self.blocks():
            for path, part in block.synapses.items():
                weight = f"layers.{name}.{path}.weight"
                # Torch's pruning and parametrizations compute the weight of other tensors.
                if weight not in state:
                    for compute_weight in part._forward_pre_hooks.values():
                        compute_weight(part, ())
                if part.gain is not None or part.mask is not None or weight not in state:
                    state[weight] = part.folded()
                    state.pop(f"layers.{name}.{path}.gain", None)
        return {name: value.detach().cpu().numpy() for name, value in state.items()}

    def engine_report(self) -> list[LayerReport]:
        """Returns a report of the last forward pass of each layer that has run.

        If torch compiled the pass, the report names the engine that would compute now.
        """
        reports: list[LayerReport] = []
        for name, block in self.blocks():
            if block.counts is None:
                continue
            counts = block.counts
            path = "events" if counts.path == EVENTS else "product"
            engine = block.engine or engine_name(counts.numbers.device)
            peaks = dict(zip(block.neuron.equations.states, counts.peaks.tolist(), strict=True))
            reports.append(LayerReport(name, engine, path, peaks, int(counts.spikes)))
        return reports


def build(graph: nodes.Graph, seed: int | None = None) -> Network:
    """Builds the torch module of a graph. ``seed`` determines all that is drawn at random."""
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    return Network(graph, generator).float()  # also if torch's default is float64
