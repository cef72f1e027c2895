"""The kernels as torch operators, with gradients and with fake functions for torch's compiler.

Each operator computes on the engine of its tensors' device (see ``engines``). Tensors are
time-first. Floats are in threshold units, integer states are in units of 1/4096 of a threshold unit
(see ``fixed_point``). Operators raise ValueError for tensors that do not fit.
``kernels.layer_neurons`` explains what passes count.
"""

from netdesc.kernels.operators.layers import neurons as neurons
from netdesc.kernels.operators.layers import prepared_neurons as prepared_neurons
from netdesc.kernels.operators.layers import prepared_segment as prepared_segment
from netdesc.kernels.operators.layers import segment as segment
from netdesc.kernels.operators.synapses import class_labels as class_labels
from netdesc.kernels.operators.synapses import convolution as convolution
from netdesc.kernels.operators.synapses import linear as linear
from netdesc.kernels.operators.synapses import quantize_weight as quantize_weight
from netdesc.kernels.operators.synapses import spike_time as spike_time
