"""Builds the torch optimizer that a document describes; saves and restores its state."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn


def build_optimizer(spec: Any, network: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that ``document.training.optimizer`` describes.

    Weight decay acts on synapses only: a neuron whose decay constant shrinks toward 0 is not
    simpler, it never forgets.
    """
    synapses, neurons = [], []
    for name, parameter in network.named_parameters():
        (synapses if ".synapse." in name else neurons).append(parameter)
    groups = [
        {"params": synapses, "weight_decay": spec.weight_decay},
        {"params": neurons, "weight_decay": 0.0},
    ]
    kind, options = _KINDS[spec.type]
    chosen = {option: getattr(spec, option) for option in options}
    rate = device_rate(next(network.parameters()).device, spec.learning_rate)
    if "betas" in chosen:
        chosen["capturable"] = isinstance(rate, torch.Tensor)
    filled = [group for group in groups if group["params"]]
    optimizer = _without_compiler(kind)(filled, lr=rate, fused=True, **chosen)
    optimizer.register_step_pre_hook(_make_gradients_contiguous)
    return optimizer


_ADAPTIVE = ("betas", "eps")
_KINDS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "adam": (torch.optim.Adam, _ADAPTIVE),
    "adamw": (torch.optim.AdamW, _ADAPTIVE),
    "sgd": (torch.optim.SGD, ("momentum", "nesterov")),
}
"""Type in a document -> torch's class, and the options that both call by the same name."""


def device_rate(device: torch.device, rate: float) -> float | torch.Tensor:
    """The rate; on a GPU a tensor, because a captured step reads it from there."""
    if device.type != "cuda":
        return rate
    return torch.tensor(rate, dtype=torch.float32, device=device)


def _without_compiler(kind: type[Any]) -> type[Any]:
    """The class without the wrappers that torch puts around its methods for its compiler.

    A wrapped method imports the compiler, which costs every run more than a second. ``Optimizer``
    puts its hooks around ``step`` again.
    """
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    return type(kind.__name__, (kind,), plain | {"step": torch.no_grad()(plain["step"])})


_WRAPPED = ("add_param_group", "zero_grad", "step")


def _make_gradients_contiguous(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """Lays out every gradient like its parameter.

    The fused optimizers read both as flat memory: they would apply a transposed gradient to the
    wrong weights, and torch 2.13 does not check that.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and not parameter.grad.is_contiguous():
                parameter.grad = parameter.grad.contiguous()


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def is_capturable(optimizer: torch.optim.Optimizer) -> bool:
    """Whether a CUDA graph can hold a step: all numbers that change must be on the device.

    For fused SGD the rate is the only one; it has no option ``capturable``.
    """
    return all(
        isinstance(group["lr"], torch.Tensor)
        and group["lr"].device == group["params"][0].device
        and group.get("capturable", group.get("fused"))
        for group in optimizer.param_groups
    )


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, network: nn.Module
) -> dict[str, torch.Tensor]:
    """The optimizer's state as ``<parameter name>.<what>`` (moments and step counts)."""
    return {
        f"{name}.{key}": value
        for name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, torch.Tensor)  # SGD without momentum keeps a None
    }


def load_optimizer_tensors(
    optimizer: torch.optim.Optimizer, network: nn.Module, tensors: dict[str, torch.Tensor]
) -> None:
    """Restores what ``optimizer_tensors`` returned.

    KeyError if a parameter is unknown. ValueError if a tensor has another shape or type than its
    parameter: fused optimizers would read beyond its end.
    """
    parameters = dict(network.named_parameters())
    for key, value in tensors.items():
        name, _, what = key.rpartition(".")
        parameter = parameters[name]
        shape = torch.Size() if what == "step" else parameter.shape
        if value.shape != shape or value.dtype != torch.float32:
            raise ValueError(f"{key} has shape {list(value.shape)} and type {value.dtype}")
        optimizer.state[parameter][what] = value.to(parameter.device)
