"""The engine's functions for CUBA neurons: those for all neurons, with the equations of CUBA.

``reference.engine`` explains each function.
"""

from __future__ import annotations

import torch
from torch import Tensor

from netdesc.kernels.cuda.launch import check_device, device_number, on_tensor_device
from netdesc.kernels.cuda.neurons import neurons, neurons_backward
from netdesc.kernels.fixed_point import STATE_UNIT
from netdesc.kernels.neuron_parameters import CUBA, Dynamics
from netdesc.kernels.neurons import Neurons, make_neurons
from netdesc.neurons.definition import Definition

CURRENT = Definition(
    parameters=(("current_decay", "decay"),),
    step=("u = decay(u, current_decay) + x",),
    output="u",
).to_text()
"""The current alone."""


def _make_cuba(
    signal: Tensor, dynamics: Dynamics, surrogate: tuple[Tensor, Tensor], learn: bool
) -> Neurons:
    """Returns the neurons for the kernels. ``surrogate`` has its peak and width.

    Raises ValueError if a parameter is on another device than ``signal``.
    """
    threshold = device_number(dynamics.threshold / STATE_UNIT, signal.device)
    current_decay, voltage_decay = dynamics.current_decay, dynamics.voltage_decay
    bias = dynamics.real_bias
    if not bias.numel():
        bias = device_number(0.0, signal.device)
    named = {"current decay": current_decay, "voltage decay": voltage_decay, "bias": bias}
    for name, value in named.items():
        check_device(signal, f"the {name}", value)
    parameters = [threshold, current_decay, voltage_decay, bias, *surrogate]
    return make_neurons(CUBA, learn, parameters, dynamics.neurons, dynamics.delay)


@on_tensor_device
def cuba(z_TBN: Tensor, dynamics: Dynamics) -> tuple[Tensor, Tensor, Tensor]:
    """See ``reference.engine.cuba``."""
    unread = device_number(1.0, z_TBN.device)
    layer = _make_cuba(z_TBN, dynamics, (unread, unread), learn=False)
    out_TBN, notes, _, (stored,) = neurons([z_TBN], layer, [], keep=True)
    (voltage_TBN,) = stored
    return out_TBN, voltage_TBN, notes


@on_tensor_device
def cuba_backward(
    grad_out_TBN: Tensor, voltage_TBN: Tensor, dynamics: Dynamics, learn: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.cuba_backward``."""
    layer = _make_cuba(grad_out_TBN, dynamics, _surrogate(grad_out_TBN, dynamics), learn)
    (grad_z_TBN,), grads = neurons_backward(grad_out_TBN, layer, [voltage_TBN[None]])
    if not learn:
        return grad_z_TBN, grad_z_TBN.new_zeros(2, dynamics.neurons)
    _, grad_current_decay, grad_voltage_decay, _ = grads
    return grad_z_TBN, torch.stack([grad_current_decay, grad_voltage_decay])


def _surrogate(signal: Tensor, dynamics: Dynamics) -> tuple[Tensor, Tensor]:
    """Returns peak and width of the surrogate gradient, in threshold units.

    A ``tau`` on the device stays there, so that a schedule can change it after a step was captured
    as a CUDA graph.
    """
    device, tau = signal.device, dynamics.tau
    if tau is None:
        peak, width = dynamics.surrogate(dynamics.tau_grad)
        return device_number(peak, device), device_number(width / STATE_UNIT, device)
    check_device(signal, "the surrogate's width", tau)
    unit_peak, unit_width = dynamics.surrogate(1.0)
    return device_number(unit_peak, device) / tau, tau * (unit_width / STATE_UNIT)


def _make_current(decay: Tensor, count: int, learn: bool) -> Neurons:
    return make_neurons(CURRENT, learn, [decay], count, delay=0)


@on_tensor_device
def leaky(z_TBN: Tensor, decay: Tensor) -> Tensor:
    """See ``reference.engine.leaky``."""
    check_device(z_TBN, "the decay", decay)
    layer = _make_current(decay, z_TBN.shape[2], learn=False)
    return neurons([z_TBN], layer, [], keep=False).out_TBN


@on_tensor_device
def leaky_backward(
    grad_u_TBN: Tensor, u_TBN: Tensor, decay: Tensor, learn: bool
) -> tuple[Tensor, Tensor]:
    """See ``reference.engine.leaky_backward``."""
    check_device(grad_u_TBN, "the decay", decay)
    layer = _make_current(decay, grad_u_TBN.shape[2], learn)
    stored = [(u_TBN * STATE_UNIT).to(torch.int32)[None]] if learn else [u_TBN]
    (grad_z_TBN,), grads = neurons_backward(grad_u_TBN, layer, stored)
    return grad_z_TBN, grads[0] if learn else grad_z_TBN.new_zeros(layer.count)
