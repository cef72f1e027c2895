"""The kernels as torch operators, with gradients and with fake functions for torch's compiler.

Each operator computes on the engine of its tensors' device (see ``engine``). Tensors are
time-first. Floats are in threshold units, integer states are in units of 1/4096 of a threshold unit
(see ``fixed_point``). Operators raise ValueError for tensors that do not fit. ``kernels.neurons``
explains the statistics ``notes``.
"""

from netdesc.kernels.operators.convolution import convolution
from netdesc.kernels.operators.labels import class_labels
from netdesc.kernels.operators.neurons import neurons
from netdesc.kernels.operators.segment import segment
from netdesc.kernels.operators.spike_time import spike_time
from netdesc.kernels.operators.synapses import linear, quantize_weight

__all__ = [
    "class_labels",
    "convolution",
    "linear",
    "neurons",
    "quantize_weight",
    "segment",
    "spike_time",
]
