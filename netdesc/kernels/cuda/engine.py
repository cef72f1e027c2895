"""The CUDA engine: the functions of ``reference.engine`` with Triton kernels.

No function waits for the device or reads a tensor's numbers. Every layer computes a matrix
product, so counts say ``PRODUCT``. ``linear`` and ``convolution`` are the reference's functions:
they are matrix products, which torch computes as fast as Triton. ``recurrent`` runs the kernel of
neurons once a step, and ``recurrent_backward`` is the reference's, which is slow.
"""

import functools

from torch import Tensor

from netdesc.kernels.cuda import synapses
from netdesc.kernels.cuda.launch import on_tensor_device
from netdesc.kernels.cuda.neurons import neurons, neurons_backward
from netdesc.kernels.cuda.van_rossum import spike_time as spike_time
from netdesc.kernels.reference.engine import convolution as convolution
from netdesc.kernels.reference.engine import convolution_backward as convolution_backward
from netdesc.kernels.reference.engine import linear as linear
from netdesc.kernels.reference.engine import linear_backward as linear_backward
from netdesc.kernels.reference.engine import recurrent_backward as recurrent_backward
from netdesc.kernels.reference.engine import recurrent_by_steps
from netdesc.kernels.segments import LayerFunctions, segment_backward_by_layer, segment_by_layer


@on_tensor_device
def dense(signal_TBI: Tensor, weight_OI: Tensor) -> Tensor:
    """See ``reference.engine.dense``."""
    return synapses.input_currents(signal_TBI.contiguous(), weight_OI.contiguous())


@on_tensor_device
def dense_backward(
    grad_z_TBO: Tensor, signal_TBI: Tensor, weight_OI: Tensor, want_input: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.dense_backward``."""
    weight_OI = weight_OI.contiguous()
    grad_OI = synapses.weight_gradient(grad_z_TBO, signal_TBI.contiguous(), weight_OI)
    if not want_input:
        return grad_z_TBO.new_empty(0), grad_OI
    return synapses.input_gradient(grad_z_TBO, weight_OI), grad_OI


_LAYER = LayerFunctions(dense, dense_backward, neurons, neurons_backward)

recurrent = functools.partial(recurrent_by_steps, neurons)

segment = functools.partial(segment_by_layer, _LAYER)
segment_backward = functools.partial(segment_backward_by_layer, _LAYER)
