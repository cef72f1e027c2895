"""The CPU engine: the functions of ``reference.engine`` with Numba kernels."""

from netdesc.kernels.cpu.convolution import convolution as convolution
from netdesc.kernels.cpu.convolution import convolution_backward as convolution_backward
from netdesc.kernels.cpu.linear import linear as linear
from netdesc.kernels.cpu.linear import linear_backward as linear_backward
from netdesc.kernels.cpu.neurons import neurons as neurons
from netdesc.kernels.cpu.neurons import neurons_backward as neurons_backward
from netdesc.kernels.cpu.neurons import recurrent as recurrent
from netdesc.kernels.cpu.neurons import recurrent_backward as recurrent_backward
from netdesc.kernels.cpu.segment import segment as segment
from netdesc.kernels.cpu.segment import segment_backward as segment_backward
from netdesc.kernels.cpu.van_rossum import spike_time as spike_time
