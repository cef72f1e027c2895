"""The definition of every operator, step by step in plain torch.

Tensors are time-first ``[steps, batch, neurons]``. States are 64-bit integers, so that nothing can
overflow. The other engines must give equal spikes and, up to rounding, equal gradients.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from netdesc.kernels import layer_neurons
from netdesc.kernels.fixed_point import DEVICE_BITS
from netdesc.kernels.grid import quantize, straight_through, truncate
from netdesc.kernels.kernel_shape import KernelShape
from netdesc.kernels.packing import SavedImages
from netdesc.kernels.reference.convolution import convolve, convolve_backward
from netdesc.kernels.reference.neurons import neurons, neurons_backward
from netdesc.kernels.reference.van_rossum import spike_time as spike_time
from netdesc.kernels.segments import LayerFunctions, segment_backward_by_layer, segment_by_layer


def dense(signal_TBI: Tensor, weight_OI: Tensor) -> Tensor:
    """Returns the synaptic input ``z = W s``, where W is ``weight_OI`` quantised.

    Sums of quantised weights are exact in float32, so their order does not matter.
    """
    return linear(signal_TBI, quantize(weight_OI, DEVICE_BITS))[0]


def dense_backward(
    grad_z_TBO: Tensor, signal_TBI: Tensor, weight_OI: Tensor, want_input: bool
) -> tuple[Tensor, Tensor]:
    """Returns gradients of the signal (empty unless ``want_input``) and of the real weights."""
    quantized_OI, no_spikes = quantize(weight_OI, DEVICE_BITS), grad_z_TBO.new_empty(0)
    grad_TBI, grad_OI = linear_backward(grad_z_TBO, signal_TBI, no_spikes, quantized_OI, want_input)
    return grad_TBI, straight_through(grad_OI, weight_OI, DEVICE_BITS)


def linear(signal_TBI: Tensor, weight_OI: Tensor) -> tuple[Tensor, Tensor]:
    """Returns ``W s`` of every step, and an empty tensor, because this engine packs no spikes."""
    with torch.autocast(signal_TBI.device.type, enabled=False):
        z_TBO = signal_TBI @ weight_OI.T
    return z_TBO, torch.empty(0, dtype=torch.int32, device=signal_TBI.device)


def linear_backward(
    grad_z_TBO: Tensor,
    signal_TBI: Tensor | None,
    packed: Tensor,
    weight_OI: Tensor,
    want_input: bool,
) -> tuple[Tensor, Tensor]:
    """Returns gradients of the signal (empty unless ``want_input``) and of the weight."""
    assert signal_TBI is not None, "only the CPU engine packs the input's spikes"
    with torch.autocast(signal_TBI.device.type, enabled=False):
        grad_weight = torch.einsum("tbo,tbi->oi", grad_z_TBO, signal_TBI).contiguous()
        return grad_z_TBO @ weight_OI if want_input else grad_z_TBO.new_empty(0), grad_weight


def convolution(signal_TBCHW: Tensor, weight: Tensor, shape: KernelShape) -> tuple[Tensor, Tensor]:
    """Returns ``W ∗ s`` of every step [steps, batch, neurons], and an empty tensor."""
    steps, batch = signal_TBCHW.shape[:2]
    z_TBN = convolve(signal_TBCHW.flatten(0, 1), weight, shape).reshape(steps, batch, -1)
    return z_TBN, torch.empty(0, dtype=torch.int32, device=signal_TBCHW.device)


def convolution_backward(
    grad_z_TBN: Tensor, saved: SavedImages, weight: Tensor, shape: KernelShape, want_input: bool
) -> tuple[Tensor, Tensor]:
    """Returns gradients of the signal (empty unless ``want_input``) and of the weight."""
    signal_TBCHW = saved.values_TBCHW
    assert signal_TBCHW is not None, "only the CPU engine packs the input's spikes"
    images = signal_TBCHW.flatten(0, 1)
    kernel = weight.shape[2], weight.shape[3]
    sizes = shape.output_size((images.shape[2], images.shape[3]), kernel)
    grad = grad_z_TBN.reshape(len(images), len(weight), *sizes)
    grad_images, grad_weight = convolve_backward(grad, images, weight, shape, want_input)
    grad_signal = grad_images.reshape(signal_TBCHW.shape) if want_input else grad_images
    return grad_signal, grad_weight


def recurrent_by_steps(
    run: Callable[..., layer_neurons.NeuronsOutput],
    inputs_TBN: Sequence[Tensor],
    weights_NN: Sequence[Tensor],
    neurons: layer_neurons.KernelNeurons,
    states: Sequence[Tensor],
    keep: bool,
) -> layer_neurons.NeuronsOutput:
    """Runs neurons, as ``kernels.layer_neurons`` says, with the function ``neurons`` of an engine.

    Saves what ``reference.recurrent_backward`` needs.
    """
    steps, *shape = inputs_TBN[0].shape
    zeros = torch.zeros(shape, dtype=torch.int32, device=inputs_TBN[0].device)
    count = len(neurons.program.states)
    after = list(states) or [zeros] * (count + 2)
    # With a delay, the states end with the output of the last step.
    delayed = dataclasses.replace(neurons, delay=1)
    peaks = torch.zeros(count, dtype=torch.int64, device=zeros.device)
    saved: list[list[Tensor]] = []
    out: list[Tensor] = [layer_neurons.to_values(after[-1], neurons.is_graded)]
    path = torch.zeros(1, dtype=torch.int64, device=zeros.device)
    for t in range(steps):
        pairs = zip(inputs_TBN, weights_NN, strict=True)
        z_TBN = [each_TBN[t : t + 1] + out[-1] @ weight.T for each_TBN, weight in pairs]
        result = run(z_TBN, delayed, after, False)
        after = result.states
        out.append(layer_neurons.to_values(after[-1], neurons.is_graded))
        counts = layer_neurons.LayerCounts(result.counts)
        peaks, path = torch.maximum(peaks, counts.peaks), counts.path.reshape(1)
        if keep:
            saved.append([truncate(tensor, neurons.state_unit)[0] for tensor in z_TBN])
    out_TBN = torch.stack(out[:-1] if neurons.delay else out[1:])
    return layer_neurons.NeuronsOutput(
        out_TBN,
        torch.cat([peaks, path, out_TBN.count_nonzero().reshape(1)]),
        after if states else [],
        [torch.stack(steps) for steps in zip(*saved, strict=True)],
    )


recurrent = functools.partial(recurrent_by_steps, neurons)


def recurrent_backward(
    grad_out_TBN: Tensor,
    before_TBN: Tensor,
    weights_NN: Sequence[Tensor],
    layer: layer_neurons.KernelNeurons,
    saved: Sequence[Tensor],
    want_weights: bool,
) -> layer_neurons.NeuronsGradients:
    """See ``kernels.layer_neurons``."""
    gradients = neurons_backward(grad_out_TBN, layer, saved, weights_NN)
    return gradients if want_weights else gradients._replace(weights_NN=[])


_LAYER = LayerFunctions(dense, dense_backward, neurons, neurons_backward)

segment = functools.partial(segment_by_layer, _LAYER)
segment_backward = functools.partial(segment_backward_by_layer, _LAYER)
