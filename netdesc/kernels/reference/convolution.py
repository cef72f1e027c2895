"""Defines convolutions of all kinds, and their gradients, by matrix products.

Images are [N, C, H, W], with steps and samples on the first axis. Sums of quantised weights over
spikes are exact in float32 if the terms are added as they are. Fast convolutions of other libraries
may add in a transformed space (Winograd's or Fourier's) or round to fewer bits, so that neurons
would get other sums than on the device. Here the parts of the input that the kernel covers, the
patches, are copied side by side and multiplied by the weights.
"""

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from netdesc.kernels.kernel_shape import KernelShape, Pair

_MAX_PATCH_NUMBERS = 1 << 24
"""Largest number of values in the patches that are copied at a time."""


def convolve(images: Tensor, weight: Tensor, shape: KernelShape) -> Tensor:
    """Returns the convolution, float32 [N, channels, height, width]."""
    sizes = shape.output_size(_sizes(images), _sizes(weight))
    by = _spread if shape.is_transposed else _gather
    return by(images, weight, shape, sizes)


def convolve_backward(
    grad: Tensor, images: Tensor, weight: Tensor, shape: KernelShape, want_input: bool
) -> tuple[Tensor, Tensor]:
    """Returns the gradients of the images (empty unless ``want_input``) and of the weight."""
    grad_images = grad.new_empty(0)
    if want_input:
        by = _gather if shape.is_transposed else _spread
        grad_images = by(grad, swap_channels(weight, shape.groups), shape, _sizes(images))
    if not shape.is_transposed:
        return grad_images, _correlate(grad, images, weight, shape)
    swapped = swap_channels(weight, shape.groups)
    return grad_images, swap_channels(_correlate(images, grad, swapped, shape), shape.groups)


def _sizes(tensor: Tensor) -> Pair:
    return tensor.shape[2], tensor.shape[3]


def swap_channels(weight: Tensor, groups: int) -> Tensor:
    """Exchanges the channels of output and input: from [out, in / groups, …] to [in, out / groups,
    …], or back.
    """
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)


def _gather(images: Tensor, weight: Tensor, shape: KernelShape, sizes: Pair) -> Tensor:
    groups = shape.groups
    factors = weight.unflatten(0, (groups, -1)).flatten(2).transpose(1, 2)
    out = images.new_empty(len(images), len(weight), *sizes)
    for first, patches in _patches(images, _sizes(weight), shape, sizes):
        with _full_precision(patches.device):
            found = torch.bmm(patches, factors)
        found = found.unflatten(1, (-1, *sizes)).permute(1, 0, 4, 2, 3).flatten(1, 2)
        out[first : first + len(found)] = found
    return out


def _spread(images: Tensor, weight: Tensor, shape: KernelShape, sizes: Pair) -> Tensor:
    """Returns the transposed convolution: zeros go between the inputs, and a kernel that is turned
    by 180° gathers them.
    """
    n, channels, height, width = images.shape
    (by_row, by_column), dilation = shape.stride, shape.dilation
    wide = images.new_zeros(n, channels, (height - 1) * by_row + 1, (width - 1) * by_column + 1)
    wide[:, :, ::by_row, ::by_column] = images
    rows, columns = (
        dilation[axis] * (weight.shape[2 + axis] - 1) - shape.padding[axis] for axis in (0, 1)
    )
    plain = shape._replace(stride=(1, 1), padding=(rows, columns))
    return _gather(wide, weight.flip(2, 3), plain, sizes)


def _correlate(grad: Tensor, images: Tensor, weight: Tensor, shape: KernelShape) -> Tensor:
    total = torch.zeros_like(weight)
    for first, patches in _patches(images, _sizes(weight), shape, _sizes(grad)):
        part = grad[first : first + patches.shape[1] // math.prod(_sizes(grad))]
        left = part.unflatten(1, (shape.groups, -1)).permute(1, 2, 0, 3, 4).flatten(2)
        with _full_precision(patches.device):
            total += torch.bmm(left, patches).reshape(total.shape)
    return total


def _patches(
    images: Tensor, kernel: Pair, shape: KernelShape, sizes: Pair
) -> Iterator[tuple[int, Tensor]]:
    """Yields the index of an image, and the patches of some images from this one on.

    They are [groups, images · height · width, channels / groups · kernel]; ``sizes`` are height and
    width of the output.
    """
    edges: list[int] = []
    for axis in (1, 0):  # torch pads the last axis first
        span = shape.dilation[axis] * (kernel[axis] - 1) + 1
        read = (sizes[axis] - 1) * shape.stride[axis] + span
        edges += [shape.padding[axis], read - shape.padding[axis] - images.shape[2 + axis]]
    channels = images.shape[1]
    count = max(1, _MAX_PATCH_NUMBERS // (channels * math.prod(kernel) * math.prod(sizes)))
    for first in range(0, len(images), count):
        padded = functional.pad(images[first : first + count], edges).contiguous()
        by_image, by_channel, by_row, _ = padded.stride()
        steps = by_row * shape.stride[0], shape.stride[1], by_row * shape.dilation[0]
        view = padded.as_strided(
            (len(padded), channels, *sizes, *kernel),
            (by_image, by_channel, *steps, shape.dilation[1]),
        )
        grouped = view.unflatten(1, (shape.groups, -1)).permute(1, 0, 3, 4, 2, 5, 6)
        yield first, grouped.flatten(4).flatten(1, 3)


@contextlib.contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Within the block, products round no factor to fewer bits, whatever the program has set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
