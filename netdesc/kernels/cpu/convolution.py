"""Convolutions on the CPU: from events where spikes are sparse, else by torch's own convolution.

Torch calls oneDNN, which adds the terms of a sum as they are. NNPACK's transforms are switched off,
because their sums are not exact (see ``reference.convolution``).
"""

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.backends import nnpack

from netdesc.kernels.cpu.runtime.memory_pool import array_of
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.spikes import events_of, pack
from netdesc.kernels.cpu.synapses.event_convolution import (
    convolution_gradient,
    convolve_events,
    patches_of,
)
from netdesc.kernels.engines import kernel_threads
from netdesc.kernels.kernel_shape import KernelShape
from netdesc.kernels.packing import SavedImages
from netdesc.kernels.reference.convolution import swap_channels

MAX_EVENT_DENSITY = 0.1
"""Largest share of spiking inputs at which events are faster than torch's convolution.

Measured on a Xeon with AVX-512: at 2 % events took a fifth to a half of the time of kernels 3×3 and
5×5 with 16 to 64 channels; both took the same at 10 to 30 %, with 4 channels at 4 %.
"""


@on_threads
def convolution(signal_TBCHW: Tensor, weight: Tensor, shape: KernelShape) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.convolution``; the second result is the packed spikes of the input."""
    steps, batch, channels, height, width = signal_TBCHW.shape
    values_TBI = array_of(signal_TBCHW).reshape(steps, batch, -1)
    packed, events = pack(values_TBI, MAX_EVENT_DENSITY)
    if events is not None:
        numbers = array_of(weight)
        patches = patches_of(numbers, (channels, height, width), shape)
        z_TBN = torch.from_numpy(convolve_events(events, numbers, patches))
    else:
        images = signal_TBCHW.flatten(0, 1)
        z_TBN = _convolve(images, _torch_weight(weight, shape), shape).reshape(steps, batch, -1)
    return z_TBN, torch.from_numpy(packed)


@on_threads
def convolution_backward(
    grad_z_TBN: Tensor, saved: SavedImages, weight: Tensor, shape: KernelShape, want_input: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.convolution_backward``."""
    steps, batch, _ = grad_z_TBN.shape
    events = events_of(saved.packed.numpy(), (steps, batch, math.prod(saved.shape)))
    patches = patches_of(array_of(weight), saved.shape, shape)
    grad = grad_z_TBN.reshape(steps * batch, len(weight), patches.height, patches.width)
    factors = _torch_weight(weight, shape)
    if events is not None:
        grad_weight = torch.from_numpy(convolution_gradient(array_of(grad_z_TBN), events, patches))
    else:
        assert saved.values_TBCHW is not None, "without events the input is needed"
        images = saved.values_TBCHW.flatten(0, 1)
        with _exact_torch(1):  # with more threads their number would change the order of additions
            _, grad_weight, _ = torch.ops.aten.convolution_backward(
                grad, images, factors, None, *_arguments(shape), [False, True, False]
            )
        grad_weight = _torch_weight(grad_weight, shape).contiguous()
    if not want_input:
        return grad.new_empty(0), grad_weight
    grad_images = _convolve_adjoint(grad, factors, saved.shape, shape)
    return grad_images.reshape(steps, batch, *saved.shape), grad_weight


def _convolve(images: Tensor, weight: Tensor, shape: KernelShape) -> Tensor:
    with _exact_torch(kernel_threads()):
        return torch.convolution(images, weight, None, *_arguments(shape))


def _convolve_adjoint(
    grad: Tensor, weight: Tensor, images: tuple[int, int, int], shape: KernelShape
) -> Tensor:
    """Returns the gradient of images of the shape ``images``, [channels, height, width]."""
    adjoint = shape._replace(is_transposed=not shape.is_transposed, output_padding=(0, 0))
    height, width = adjoint.output_size(
        (grad.shape[2], grad.shape[3]), (weight.shape[2], weight.shape[3])
    )
    padding = max(0, images[1] - height), max(0, images[2] - width)
    if adjoint.is_transposed and max(shape.stride) > 1 and shape.groups == 1:
        # OneDNN then takes up to a third less time; in other convolutions, it takes more.
        grad = grad.contiguous(memory_format=torch.channels_last)
    gradient = _convolve(grad, weight, adjoint._replace(output_padding=padding)).contiguous()
    return gradient[:, :, : images[1], : images[2]]


def _torch_weight(weight: Tensor, shape: KernelShape) -> Tensor:
    """Converts weights to the layout of torch, or back. It differs in transposed convolutions."""
    return swap_channels(weight, shape.groups) if shape.is_transposed else weight


def _arguments(shape: KernelShape) -> tuple[Any, ...]:
    pairs = shape.stride, shape.padding, shape.dilation
    return *pairs, shape.is_transposed, shape.output_padding, shape.groups


@contextlib.contextmanager
def _exact_torch(number: int) -> Iterator[None]:
    """Within the block, torch's convolution uses ``number`` threads, 32 bits, and not NNPACK."""
    threads = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with nnpack.flags(enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_num_threads(threads)
