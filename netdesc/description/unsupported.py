"""Hints for fields and types that other tools have and this version of netdesc does not have."""

from __future__ import annotations

from collections.abc import Mapping

from netdesc.description.spelling import normalise_name


def by_name(names_by_hint: Mapping[str, str]) -> dict[str, str]:
    """Maps each name, of names joined by spaces, to its hint."""
    return {name: hint for hint, names in names_by_hint.items() for name in names.split()}


_CONVOLUTION_1D = 'write "conv" with an input of [channels, 1, length] and a kernel [1, k]'
_RECURRENCE = 'a layer of type "recurrent" reads its own spikes of the step before'
_DELAY = 'delays are those of neurons, not of synapses: write "delay": {"steps": 3}'
_NORM = 'a norm is a field of the neuron, not of the layer: write "norm": "mean" in the neuron'
_DROPOUT = 'dropout is a field of the neuron, not a layer: write "dropout": 0.1 in the neuron'
_NIR = "NIR is not in this version"

FIELDS = by_name(
    {
        'spiking is the activation: "neuron" says which neurons a layer has': (
            "activation activation_fn nonlinearity"
        ),
        _RECURRENCE: "recurrent recurrence all_to_all feedback",
        _DELAY: "synaptic_delay synaptic_delays dendritic_delay",
        _NORM: "batch_norm batchnorm layer_norm",
        _NIR: "nir",
        "leave it out: it follows from what the layer reads": (
            "in_features in_neurons input_size in_channels num_inputs"
        ),
        'leave it out: "reset" says whether a spike sets the voltage to 0': "v_reset reset_voltage",
        "leave it out: the states of neurons begin at 0": (
            "initial initial_value initial_values initial_state init v_init v0"
        ),
        'count steps: "n = max(n - 1, 0)" in step, "n = 5" in reset, "and n <= 0" in spike': (
            "refractory refractory_period refractory_steps t_ref tau_ref"
        ),
        "leave it out: the samples are shuffled in every epoch": "shuffle num_workers pin_memory",
        "leave it out: the option --device of the command chooses the device": "device cuda gpu",
        "leave it out: netdesc monitors the validation loss, or else the training loss": "monitor",
        "leave it out: the schedule lasts for all of training.epochs": "t_max",
    }
)
"""Maps the name of a field, in lower case, to a hint."""

TYPES = by_name(
    {
        '"lif" with "voltage_decay": 0 is an IF neuron': "if ifnode if_node",
        _CONVOLUTION_1D: "conv1d convolution1d",
        'write "conv": a kernel has a height and a width': "conv3d",
        "gated cells are not in the language: write such a network as a loop in Python": (
            "lstm gru slstm"
        ),
        _NORM: "batch_norm batchnorm batchnorm1d batchnorm2d layer_norm",
        _DROPOUT: "dropout dropout1d dropout2d",
        _RECURRENCE: "lifrecurrentcell lsnnrecurrentcell",
        _NIR: "nir",
        'not read: "tonic" loads data sets, and numpy.savez writes files of "arrays"': "h5 hdf5",
        'leave the layer out: "input" of the document has the shape': "input",
        "this optimizer is not in this version": "rmsprop adagrad adamax lbfgs",
        "this schedule is not in this version": "exponential onecycle",
    }
)
"""Maps the name of a type, in lower case, to a hint."""


def hint_for_unsupported(name: str) -> str:
    """Returns the hint for a field that netdesc does not support; empty for other names."""
    return FIELDS.get(normalise_name(name), "")


def hint_for_unsupported_type(name: str) -> str:
    """Returns the hint for a type that netdesc does not support; empty for other names."""
    return TYPES.get(normalise_name(name), "")
