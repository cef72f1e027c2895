"""The operators ``neurons`` and ``segment``: a layer's neurons, and consecutive dense layers."""

import itertools
import operator as attributes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from netdesc.kernels import segments
from netdesc.kernels.checks import check_signal
from netdesc.kernels.engines import EngineError, assumed_engine, engine_for, engine_name
from netdesc.kernels.grid import parameter_gradient
from netdesc.kernels.layer_neurons import (
    KernelNeurons,
    check_neurons,
    check_weights,
    make_neurons,
    outputs_before,
    saved_shapes,
    state_names,
)
from netdesc.kernels.packing import holds_spikes
from netdesc.kernels.registration import fake, gradient, operator


def check_saved(saved: Sequence[Tensor], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raises EngineError unless ``saved`` has the shapes that the engine in use saves.

    Another engine may have saved it in compiled code, which does not record the engine.
    """
    if [each.shape for each in saved] != shapes:
        raise EngineError(
            "the forward pass ran on another engine; with torch.compile, call forward and backward "
            "pass in the same use_engine()"
        )


def gradients_of_parameters(
    parameters: Sequence[Tensor], places: Sequence[int], found: Sequence[Tensor]
) -> list[Tensor | None] | None:
    """Returns a gradient or None for each parameter; ``found`` are those at ``places``, [neurons].

    Returns None if there are no parameters.
    """
    grads: list[Tensor | None] = [None] * len(parameters)
    for place, grad_N in zip(places, found, strict=True):
        grads[place] = parameter_gradient(grad_N, parameters[place])
    return grads or None


_NeuronsForward = tuple[Tensor, Tensor, list[Tensor], list[Tensor]]


@operator()
def neurons(
    inputs_TBN: list[Tensor],
    weights_NN: list[Tensor],
    parameters: list[Tensor],
    states: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    keep: bool,
) -> _NeuronsForward:
    """Runs neurons. Returns output [steps, batch, neurons], counts, final states, saved tensors.

    ``kernels.layer_neurons`` explains all of them, and the parts of ``states``, which may be empty.
    ``weights_NN`` are those of ``kernels.layer_neurons``, or empty. ``definition`` is
    ``Definition.to_text()``. ``parameters`` are the real parameters of its program, float32 [] or
    [neurons]. ``learn`` says whether their gradients are needed, ``keep`` whether a backward pass
    follows; otherwise no tensors are saved.
    """
    first = inputs_TBN[0]
    check_signal("the first input", first)
    layer = make_neurons(definition, learn, parameters, first.shape[2], delay, bool(weights_NN))
    check_neurons(inputs_TBN, layer, states, keep)
    engine = engine_for(first.device)
    if not weights_NN:
        return tuple(engine.neurons(inputs_TBN, layer, states, keep))
    check_weights(weights_NN, layer, first)
    return tuple(engine.recurrent(inputs_TBN, weights_NN, layer, states, keep))


@operator()
def neurons_backward(
    grad_out_TBN: Tensor,
    weights_NN: list[Tensor],
    parameters: list[Tensor],
    saved: list[Tensor],
    definition: str,
    delay: int,
    learn: bool,
    want_weights: bool,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Returns gradients of inputs, weights and learnable parameters, as ``NeuronsGradients``.

    With weights, ``saved`` begins with the output. Raises EngineError if another engine saved the
    tensors.
    """
    device, is_recurrent = grad_out_TBN.device, len(weights_NN) > 0
    layer = make_neurons(definition, learn, parameters, grad_out_TBN.shape[2], delay, is_recurrent)
    out_TBN, saved = saved[0], saved[1:] if is_recurrent else saved
    check_saved(saved, saved_shapes(layer, grad_out_TBN.shape, engine_name(device)))
    engine = engine_for(device)
    if not is_recurrent:
        return tuple(engine.neurons_backward(grad_out_TBN, layer, saved))
    before_TBN = outputs_before(out_TBN, delay, layer.is_graded)
    return tuple(
        engine.recurrent_backward(grad_out_TBN, before_TBN, weights_NN, layer, saved, want_weights)
    )


@fake("neurons")
def _(inputs_TBN, weights_NN, parameters, states, definition, delay, learn, keep):
    first = inputs_TBN[0]
    layer = make_neurons(definition, learn, parameters, first.shape[2], delay, bool(weights_NN))
    shapes = saved_shapes(layer, first.shape, assumed_engine(first.device)) if keep else []
    final_states = state_names(layer) if states else []
    return (
        first.new_empty(first.shape),
        first.new_empty(len(layer.program.states) + 2, dtype=torch.int64),
        [first.new_empty(first.shape[1:], dtype=torch.int32) for _ in final_states],
        [first.new_empty(shape, dtype=torch.int32) for shape in shapes],
    )


@fake("neurons_backward")
def _(grad_out_TBN, weights_NN, parameters, saved, definition, delay, learn, want_weights):
    layer = make_neurons(definition, learn, parameters, grad_out_TBN.shape[2], delay)
    return (
        [grad_out_TBN.new_empty(grad_out_TBN.shape) for _ in layer.program.inputs],
        [each.new_empty(each.shape) for each in weights_NN] if want_weights else [],
        [grad_out_TBN.new_empty(layer.count) for _ in layer.learnable],
    )


def _neurons_context(ctx: Any, inputs: tuple[Any, ...], output: _NeuronsForward) -> None:
    _, weights_NN, parameters, states, *ctx.described, ctx.keep = inputs
    out_TBN, _, _, saved = output
    ctx.matrices, ctx.parameters, ctx.states = len(weights_NN), len(parameters), len(states)
    own_output = [out_TBN] if weights_NN else []
    ctx.save_for_backward(*parameters, *weights_NN, *own_output, *saved)


def _neurons_gradient(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
    if not ctx.keep:
        raise RuntimeError("neurons ran without keep, so that they have no backward pass")
    kept = iter(ctx.saved_tensors)
    parameters = list(itertools.islice(kept, ctx.parameters))
    weights_NN, saved = list(itertools.islice(kept, ctx.matrices)), list(kept)
    want_weights = any(ctx.needs_input_grad[ctx.matrices : 2 * ctx.matrices])
    grad_inputs, grad_weights, found = neurons_backward(
        grad_out, weights_NN, parameters, saved, *ctx.described, want_weights
    )
    definition, delay, learn = ctx.described
    layer = make_neurons(definition, learn, parameters, grad_out.shape[2], delay)
    grads = gradients_of_parameters(parameters, layer.learnable, found)
    no_weights = [None] * ctx.matrices
    return grad_inputs, grad_weights or no_weights, grads, [None] * ctx.states


gradient(neurons, _neurons_gradient, _neurons_context)


_SegmentResult = tuple[Tensor, list[Tensor], list[Tensor]]


@operator()
def segment(
    input_TBI: Tensor,
    weights: list[Tensor],
    parameters: list[Tensor],
    definitions: str,
    numbers: list[int],
    keep: bool,
) -> _SegmentResult:
    """Returns the last layer's output [steps, batch, outputs], counts of layers, saved tensors.

    ``kernels.segments`` explains the lists, which describe the layers. A layer computes ``z = W s``
    with weights quantised by ``quantize_weight``. ``keep`` says whether a backward pass follows;
    otherwise no tensors are saved.
    """
    layers = segments.segment_layers(weights, parameters, definitions, numbers)
    segments.check_segment(input_TBI, layers)
    return tuple(engine_for(input_TBI.device).segment(input_TBI, layers, keep))


@operator()
def segment_backward(
    grad_out_TBN: Tensor,
    input_TBI: Tensor | None,
    weights: list[Tensor],
    parameters: list[Tensor],
    definitions: str,
    numbers: list[int],
    saved_tensors: list[Tensor],
    want_input: bool,
) -> _SegmentResult:
    """Returns the gradients of the input, of the weights, and of learnable parameters.

    The input's gradient is empty unless ``want_input``. The input may be None if ``saved_tensors``
    hold its spikes. Raises EngineError if another engine saved these tensors.
    """
    device = grad_out_TBN.device
    layers = segments.segment_layers(weights, parameters, definitions, numbers)
    shape = *grad_out_TBN.shape[:2], weights[0].shape[1]
    saved = segments.segment_saved(layers, shape, engine_name(device))
    check_saved(saved_tensors, [saved_shape for saved_shape, _ in saved])
    engine = engine_for(device)
    gradients = engine.segment_backward(grad_out_TBN, input_TBI, layers, saved_tensors, want_input)
    return tuple(gradients)


@fake("segment")
def _(input_TBI, weights, parameters, definitions, numbers, keep):
    layers = segments.segment_layers(weights, parameters, definitions, numbers)
    steps, batch, _ = input_TBI.shape
    engine = assumed_engine(input_TBI.device)
    saved = segments.segment_saved(layers, input_TBI.shape, engine) if keep else []
    return (
        input_TBI.new_empty(steps, batch, len(weights[-1])),
        [
            input_TBI.new_empty(len(each.neurons.program.states) + 2, dtype=torch.int64)
            for each in layers
        ],
        [input_TBI.new_empty(shape, dtype=dtype) for shape, dtype in saved],
    )


@fake("segment_backward")
def _(
    grad_out_TBN, input_TBI, weights, parameters, definitions, numbers, saved_tensors, want_input
):
    layers = segments.segment_layers(weights, parameters, definitions, numbers)
    steps, batch, _ = grad_out_TBN.shape
    return (
        grad_out_TBN.new_empty((steps, batch, weights[0].shape[1]) if want_input else (0,)),
        [weight_OI.new_empty(weight_OI.shape) for weight_OI in weights],
        [
            grad_out_TBN.new_empty(layer.neurons.count)
            for layer in layers
            for _ in layer.neurons.learnable
        ],
    )


def _segment_context(ctx: Any, inputs: tuple[Any, ...], output: _SegmentResult) -> None:
    input_TBI, weights, parameters, ctx.definitions, ctx.numbers, ctx.keep = inputs
    saved_tensors = output[2]
    needed = None if saved_tensors and holds_spikes(saved_tensors[0]) else input_TBI
    ctx.parameters = len(parameters)
    ctx.save_for_backward(*parameters, needed, *weights, *saved_tensors)


def _segment_gradient(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
    if not ctx.keep:
        raise RuntimeError("a segment ran without keep, so that it has no backward pass")
    count, want_input = len(ctx.numbers) // segments.NUMBERS_PER_LAYER, ctx.needs_input_grad[0]
    kept = iter(ctx.saved_tensors)
    parameters, input_TBI = list(itertools.islice(kept, ctx.parameters)), next(kept)
    weights, saved_tensors = list(itertools.islice(kept, count)), list(kept)
    layers = ctx.definitions, ctx.numbers
    grad_input, grad_weights, found = segment_backward(
        grad_out, input_TBI, weights, parameters, *layers, saved_tensors, want_input
    )
    grads = gradients_of_parameters(parameters, segments.learnable_places(*layers), found)
    return grad_input if want_input else None, grad_weights, grads


gradient(segment, _segment_gradient, _segment_context)


def prepared_segment(
    engine: Any, input_TBI: Tensor, layers: Sequence[segments.SegmentLayer]
) -> tuple[Tensor, list[Tensor]]:
    """Computes ``segment`` of layers that were checked, on an engine's module.

    Returns output and counts. No compiler or transform of torch may see the call.
    """
    values = [value for layer in layers for value in layer.neurons.learnable_values]
    tensors = [input_TBI, *[layer.weight_OI for layer in layers]]
    call = _SegmentCall(engine, layers)
    return _with_gradients(call, tensors, values), call.counts


def prepared_neurons(
    engine: Any,
    inputs_TBN: Sequence[Tensor],
    weights_NN: Sequence[Tensor],
    neurons: KernelNeurons,
    states: Sequence[Tensor],
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Computes ``neurons`` of tensors that were checked, on an engine's module.

    Returns output, counts and final states. No compiler or transform of torch may see the call.
    """
    call = _NeuronsCall(engine, neurons, len(inputs_TBN), states)
    tensors, values = [*inputs_TBN, *weights_NN], neurons.learnable_values
    return _with_gradients(call, tensors, values), call.counts, call.states


class _SegmentCall:
    """A call of ``prepared_segment``. Its gradients are those of input, weights and parameters."""

    def __init__(self, engine: Any, layers: Sequence[segments.SegmentLayer]) -> None:
        self._engine, self._layers, self.inputs = engine, layers, 1

    def forward(self, tensors: Sequence[Tensor], keep: bool) -> tuple[Tensor, list[Any]]:
        """Returns the output, and what the backward pass needs."""
        out_TBN, self.counts, saved = self._engine.segment(tensors[0], self._layers, keep)
        return out_TBN, [None if saved and holds_spikes(saved[0]) else tensors[0], *saved]

    def backward(self, grad: Tensor, saved: list[Any], wanted: Sequence[bool]) -> list[Any]:
        """Returns gradients of the tensors, of which those ``wanted`` count, and of values."""
        grad_input, grad_weights, grad_values = self._engine.segment_backward(
            grad, saved[0], self._layers, saved[1:], wanted[0]
        )
        return [grad_input if wanted[0] else None, *grad_weights, *grad_values]


class _NeuronsCall:
    """A call of ``prepared_neurons``, as a ``_SegmentCall``."""

    def __init__(
        self, engine: Any, neurons: KernelNeurons, inputs: int, states: Sequence[Tensor]
    ) -> None:
        self._engine, self._neurons, self.inputs = engine, neurons, inputs
        self.states = list(states)

    def forward(self, tensors: Sequence[Tensor], keep: bool) -> tuple[Tensor, list[Any]]:
        inputs_TBN, self._weights_NN = tensors[: self.inputs], tensors[self.inputs :]
        arguments = self._neurons, self.states, keep and not self.states
        if not self._weights_NN:
            out_TBN, self.counts, self.states, saved = self._engine.neurons(inputs_TBN, *arguments)
            return out_TBN, saved
        out_TBN, self.counts, self.states, saved = self._engine.recurrent(
            inputs_TBN, self._weights_NN, *arguments
        )
        return out_TBN, [out_TBN, *saved]

    def backward(self, grad: Tensor, saved: list[Any], wanted: Sequence[bool]) -> list[Any]:
        neurons = self._neurons
        if not self._weights_NN:
            grads = self._engine.neurons_backward(grad, neurons, saved)
            return [*grads.inputs_TBN, *grads.parameters]
        wants_weights = any(wanted[self.inputs : 2 * self.inputs])
        before_TBN = outputs_before(saved[0], neurons.delay, neurons.is_graded)
        grads = self._engine.recurrent_backward(
            grad, before_TBN, self._weights_NN, neurons, saved[1:], wants_weights
        )
        no_weights = [None] * self.inputs
        return [*grads.inputs_TBN, *(grads.weights_NN or no_weights), *grads.parameters]


def _with_gradients(call: Any, tensors: list[Tensor], values: list[Tensor]) -> Tensor:
    """Returns the output of a call. Autograd follows ``tensors`` and learnt ``values``."""
    followed = [*tensors, *filter(_requires_grad, values)]
    if torch.is_grad_enabled() and any(map(_requires_grad, followed)):
        return _Prepared.apply((call, values, len(tensors)), *followed)
    return call.forward(tensors, False)[0]


_requires_grad = attributes.attrgetter("requires_grad")


class _Prepared(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, described: tuple[Any, ...], *followed: Tensor) -> Tensor:
        call, values, count = described
        out_TBN, saved = call.forward(followed[:count], True)
        ctx.call, ctx.values, ctx.count = call, values, count
        ctx.saved, ctx.only_reads_gradients = len(saved), True
        ctx.set_materialize_grads(False)
        # Torch notices if weights or values were changed before the backward pass.
        ctx.save_for_backward(*saved, *followed[call.inputs :])
        return out_TBN

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        if torch.is_grad_enabled():
            raise NotImplementedError("netdesc's operators have no second derivative")
        saved = list(ctx.saved_tensors[: ctx.saved])
        if grads[0] is None:  # no loss depends on the output
            return (None,) * len(ctx.needs_input_grad)
        gradients = ctx.call.backward(grads[0], saved, ctx.needs_input_grad[1:])
        pairs = zip(gradients[ctx.count :], ctx.values, strict=True)
        of_values = [parameter_gradient(*pair) for pair in pairs if pair[1].requires_grad]
        return None, *gradients[: ctx.count], *of_values
