"""Convolutions on the CPU, by torch's own convolution.

Torch calls oneDNN, which adds the terms of a sum as they are. NNPACK's transforms are switched off,
because their sums are not exact (see ``reference.convolution``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.backends import nnpack

from netdesc.kernels.cpu.runtime.memory_pool import array_of
from netdesc.kernels.cpu.runtime.threads import on_threads
from netdesc.kernels.cpu.spikes.packed_spikes import pack
from netdesc.kernels.engine import kernel_threads
from netdesc.kernels.kernel_shape import KernelShape
from netdesc.kernels.packing import SavedImages
from netdesc.kernels.reference.convolution import swap_channels


@on_threads
def convolution(signal_TBCHW: Tensor, weight: Tensor, shape: KernelShape) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.convolution``; the second result is the packed spikes of the input."""
    steps, batch = signal_TBCHW.shape[:2]
    packed, _ = pack(array_of(signal_TBCHW.flatten(2)))
    with _exact_torch():
        z = torch.convolution(
            signal_TBCHW.flatten(0, 1), _torch_weight(weight, shape), None, *_arguments(shape)
        )
    return z.reshape(steps, batch, -1), torch.from_numpy(packed)


@on_threads
def convolution_backward(
    grad_z_TBN: Tensor, saved: SavedImages, weight: Tensor, shape: KernelShape, want_input: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.convolution_backward``."""
    assert saved.values_TBCHW is not None, "the input is needed"
    images = saved.values_TBCHW.flatten(0, 1)
    kernel = weight.shape[2], weight.shape[3]
    sizes = shape.output_size((images.shape[2], images.shape[3]), kernel)
    grad = grad_z_TBN.reshape(len(images), len(weight), *sizes)
    with _exact_torch():
        grad_images, grad_weight, _ = torch.ops.aten.convolution_backward(
            grad,
            images,
            _torch_weight(weight, shape),
            None,
            *_arguments(shape),
            [want_input, True, False],
        )
    grad_signal = grad_images.reshape(saved.values_TBCHW.shape) if want_input else grad.new_empty(0)
    return grad_signal, _torch_weight(grad_weight, shape).contiguous()


def _torch_weight(weight: Tensor, shape: KernelShape) -> Tensor:
    """Converts weights to the layout of torch, or back. It differs in transposed convolutions."""
    return swap_channels(weight, shape.groups) if shape.is_transposed else weight


def _arguments(shape: KernelShape) -> tuple[Any, ...]:
    """Returns the last arguments of torch's convolution."""
    pairs = shape.stride, shape.padding, shape.dilation
    return *pairs, shape.is_transposed, shape.output_padding, shape.groups


@contextlib.contextmanager
def _exact_torch() -> Iterator[None]:
    """Within the block, torch's convolution uses as many threads as kernels, 32 bits, no NNPACK."""
    threads = torch.get_num_threads()
    torch.set_num_threads(kernel_threads())
    try:
        with nnpack.flags(enabled=False), torch.autocast("cpu", enabled=False):
            yield
    finally:
        torch.set_num_threads(threads)
