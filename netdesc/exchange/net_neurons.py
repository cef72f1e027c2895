"""The neurons of a ``.net`` file: their types, and the datasets that each type has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from netdesc.exchange.errors import LayerError, require
from netdesc.hardware.integers import Integers
from netdesc.kernels.fixed_point import DECAY_ONE, WEIGHT_UNIT
from netdesc.neurons.models.fields import MAX_LEVEL
from netdesc.neurons.models.sigma_delta import MAX_DIFFERENCE

MAX_THRESHOLD = MAX_LEVEL * WEIGHT_UNIT
"""The largest threshold, in the unit of weights. A device, which clips voltages at 2¹⁷ of this
unit, never reaches it."""

READOUT_THRESHOLD = 262143
"""The threshold that slayer writes for a readout of voltages. No state of the device reaches it."""

DEVICE_READOUT = 131071
"""The threshold that slayerPytorch writes for such a readout."""


class NumberDataset(NamedTuple):
    """A dataset of whole numbers, one for the layer, or one a neuron if ``can_differ``."""

    parameter: str
    """The parameter of the neuron's equations."""
    lowest: int
    highest: int
    can_differ: bool = True


NUMBERS = {
    "iDecay": NumberDataset("current_decay", 0, DECAY_ONE),
    "vDecay": NumberDataset("voltage_decay", 0, DECAY_ONE),
    "thDecay": NumberDataset("threshold_decay", 0, DECAY_ONE),
    "refDecay": NumberDataset("refractory_decay", 0, DECAY_ONE),
    "sinDecay": NumberDataset("sine", 1, DECAY_ONE - 1),
    "cosDecay": NumberDataset("cosine", 0, DECAY_ONE - 1),
    "vThMant": NumberDataset("threshold", 0, MAX_THRESHOLD, can_differ=False),
    "vThStep": NumberDataset("threshold_step", 0, MAX_THRESHOLD, can_differ=False),
}
"""Dataset -> what it holds."""


class NeuronForm(NamedTuple):
    """The form of one type of neuron."""

    kind: str
    """The type of the same neuron in a document."""
    numbers: tuple[str, ...]
    """Datasets of ``NUMBERS`` that every neuron of this type has."""
    constants: Mapping[str, int]
    """Other datasets, with the only value that netdesc reads and writes. Of ``gradedSpike`` it is
    that of binary spikes."""
    is_complex: bool = False
    """Whether the weights have a real and an imaginary part."""
    max_threshold: int = MAX_THRESHOLD


_SPIKES = {"gradedSpike": 0}
_ADAPTIVE = ("thDecay", "refDecay", "vThMant", "vThStep")

FORMS = {
    "CUBA": NeuronForm("cuba", ("iDecay", "vDecay", "vThMant"), {"refDelay": 1} | _SPIKES),
    "ALIF": NeuronForm("alif", ("iDecay", "vDecay", *_ADAPTIVE), {"refDelay": 1} | _SPIKES),
    "RF_PHASE": NeuronForm("rf", ("sinDecay", "cosDecay", "vThMant"), _SPIKES, True),
    "RF_IZHIKEVICH": NeuronForm("rf_iz", ("sinDecay", "cosDecay", "vThMant"), _SPIKES, True),
    "ADRF_PHASE": NeuronForm("adrf", ("sinDecay", "cosDecay", *_ADAPTIVE), _SPIKES, True),
    "ADRF_IZHIKEVICH": NeuronForm("adrf_iz", ("sinDecay", "cosDecay", *_ADAPTIVE), _SPIKES, True),
    "SDNN": NeuronForm("sigma_delta", ("vThMant",), {}, max_threshold=MAX_DIFFERENCE * WEIGHT_UNIT),
}
"""Type of a neuron in files -> its form."""

OLD_TYPES = {"LOIHI": "CUBA"}
"""The names that slayerPytorch (an older slayer) writes -> today's."""

ACTIVATIONS = ("relu", "identity")
"""The values of the dataset ``activation`` of SDNN neurons that netdesc knows."""


@dataclass(frozen=True, eq=False)
class NetNeuron:
    """The neurons of a layer. ``check`` raises LayerError if a number is out of range.

    ``numbers`` map datasets to int32 [], or [neurons] where neurons differ. ``activation`` is that
    of SDNN neurons, else empty. ``is_sum`` says of SDNN neurons that they hand on their sum,
    ``is_delta`` that they hand on the differences of their input, as those of an input layer do.
    ``is_graded`` says of others that a spike carries the state that fired.
    """

    type: str
    numbers: Mapping[str, Integers]
    activation: str = ""
    is_sum: bool = False
    is_delta: bool = False
    is_graded: bool = False

    @property
    def form(self) -> NeuronForm:
        return FORMS[self.type]

    @property
    def kind(self) -> str:
        """The type of the neurons in a document."""
        if self.is_delta:
            return "delta"
        return "integrator" if self.is_readout else self.form.kind

    @property
    def is_readout(self) -> bool:
        """Whether the neurons hand on a state, without a spike."""
        is_endless = self.numbers["vThMant"] == READOUT_THRESHOLD
        return self.is_sum or (self.type == "CUBA" and bool(is_endless))

    @property
    def hands_on(self) -> bool:
        """Whether these are the neurons of ``NO_NEURON``."""
        same = (np.array_equal(self.numbers.get(k, ()), v) for k, v in NO_NEURON.numbers.items())
        return self.type == NO_NEURON.type and all(same)

    @property
    def never_spikes(self) -> bool:
        """Whether these are spiking neurons whose threshold no voltage of the device reaches."""
        return self.kind == "cuba" and bool(self.numbers["vThMant"] >= DEVICE_READOUT)

    def check(self, neurons: int) -> None:
        for name, values in self.numbers.items():
            known, dataset = NUMBERS[name], f"neuron/{name}"
            if values.ndim and (values.shape != (neurons,) or not known.can_differ):
                needed = f"[{neurons}] is needed" if known.can_differ else "one number is needed"
                problem = f"has shape {list(values.shape)}; the layer has {neurons} neurons, "
                raise LayerError(dataset, f"{problem}so {needed}")
            highest = min(known.highest, self.form.max_threshold)
            is_valid = (values >= known.lowest) & (values <= highest)
            require(dataset, values, is_valid, f"it is {known.lowest} to {highest}")


_IDENTITY = {"iDecay": DECAY_ONE, "vDecay": DECAY_ONE, "vThMant": READOUT_THRESHOLD}
NO_NEURON = NetNeuron("CUBA", {name: np.array(n, np.int32) for name, n in _IDENTITY.items()})
"""Hands on what arrives, in netx as well."""
