"""The kernels as torch operators, with gradients and with fake functions for torch's compiler.

Each computes on the engine of its tensors' device (see ``engine``). Tensors are time-first; numbers
are in threshold units. ``notes`` [4] holds the largest |u| and |v| (in state units, 1/4096), 1 if
the current was computed from events or 0 if by a matrix product, and the number of output spikes.
Operators raise ValueError for tensors that do not fit.
"""

from netdesc.kernels.operators.cuba import cuba
from netdesc.kernels.operators.labels import class_labels
from netdesc.kernels.operators.leaky import leaky
from netdesc.kernels.operators.segment import segment
from netdesc.kernels.operators.spike_time import spike_time
from netdesc.kernels.operators.synapses import linear, quantize_weight
from netdesc.kernels.operators.windows import window_classes, window_loss

__all__ = [
    "class_labels",
    "cuba",
    "leaky",
    "linear",
    "quantize_weight",
    "segment",
    "spike_time",
    "window_classes",
    "window_loss",
]
