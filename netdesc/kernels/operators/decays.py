"""Gradients of decays, as every operator with neurons hands them out."""

from __future__ import annotations

from torch import Tensor


def decay_gradient(grad_N: Tensor, decay: Tensor) -> Tensor | None:
    """A gradient per neuron in the decay's own shape; None where it is not learnt."""
    if not decay.requires_grad:
        return None
    return grad_N.sum_to_size(decay.shape) if decay.dim() else grad_N.sum()


def decay_gradients(
    grad_decays: Tensor, current_decay: Tensor, voltage_decay: Tensor
) -> list[Tensor | None]:
    grad_current, grad_voltage = grad_decays
    return [
        decay_gradient(grad_current, current_decay),
        decay_gradient(grad_voltage, voltage_decay),
    ]


def learns(current_decay: Tensor, voltage_decay: Tensor) -> bool:
    return current_decay.requires_grad or voltage_decay.requires_grad
