"""Neuron models, one file each: a section of the document and its equations.

To add a neuron, write its file and add its class to ``_SECTIONS``.
"""

from netdesc.neurons.models.adrf import Adrf, AdrfIz
from netdesc.neurons.models.alif import Alif
from netdesc.neurons.models.base import NeuronSection as NeuronSection
from netdesc.neurons.models.cuba import Cuba
from netdesc.neurons.models.delta import Delta
from netdesc.neurons.models.equations import EquationNeuron
from netdesc.neurons.models.integrator import Integrator
from netdesc.neurons.models.lif import Lif
from netdesc.neurons.models.rf import Rf, RfIz
from netdesc.neurons.models.sigma_delta import SigmaDelta

_SECTIONS: tuple[type[NeuronSection], ...] = (
    Cuba,
    Lif,
    Alif,
    Rf,
    RfIz,
    Adrf,
    AdrfIz,
    Delta,
    SigmaDelta,
    Integrator,
    EquationNeuron,
)

NEURONS = {each.type_name(): each for each in _SECTIONS}
"""The value of ``type`` -> the section of that neuron."""
