"""The CPU engine: the functions of ``reference.engine`` with Numba kernels."""

from netdesc.kernels.cpu.convolution import convolution, convolution_backward
from netdesc.kernels.cpu.linear import linear, linear_backward
from netdesc.kernels.cpu.neurons import neurons, neurons_backward, recurrent, recurrent_backward
from netdesc.kernels.cpu.segment import segment, segment_backward
from netdesc.kernels.cpu.van_rossum import spike_time

__all__ = [
    "convolution",
    "convolution_backward",
    "linear",
    "linear_backward",
    "neurons",
    "neurons_backward",
    "recurrent",
    "recurrent_backward",
    "segment",
    "segment_backward",
    "spike_time",
]
