"""Builds the torch optimizer of a document, and saves and restores the optimizer's state."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import nn


def build_optimizer(spec: Any, network: nn.Module) -> torch.optim.Optimizer:
    """Builds the optimizer that ``document.training.optimizer`` describes.

    Weight decay acts on synapses only. It must not act on the decays of neurons: a neuron whose
    decay shrinks toward 0 never forgets.
    """
    by_decay: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        is_weight = {"synapse", "recurrent"} & {*name.split(".")[2:]}
        weight_decay = spec.weight_decay if is_weight else 0.0
        by_decay.setdefault(weight_decay, []).append(parameter)
    kind, options = _KINDS[spec.type]
    chosen = {option: getattr(spec, option) for option in options}
    rate = device_rate(next(network.parameters()).device, spec.learning_rate)
    if "betas" in chosen:
        chosen["capturable"] = isinstance(rate, torch.Tensor)
    groups = [{"params": each, "weight_decay": decay} for decay, each in by_decay.items()]
    optimizer = _without_compiler(kind)(groups, lr=rate, fused=True, **chosen)
    optimizer.register_step_pre_hook(_make_gradients_contiguous)
    return optimizer


_ADAPTIVE = ("betas", "eps")
_KINDS: dict[str, tuple[type[Any], tuple[str, ...]]] = {
    "adam": (torch.optim.Adam, _ADAPTIVE),
    "adamw": (torch.optim.AdamW, _ADAPTIVE),
    "sgd": (torch.optim.SGD, ("momentum", "nesterov")),
}
"""Maps a document's optimizer type to torch's class and the options that both have."""


def device_rate(device: torch.device, rate: float) -> float | torch.Tensor:
    """Returns the learning rate, on a GPU as a tensor.

    A step that was captured as a CUDA graph reads the rate from this tensor.
    """
    if device.type != "cuda":
        return rate
    return torch.tensor(rate, dtype=torch.float32, device=device)


def _without_compiler(kind: type[Any]) -> type[Any]:
    """Returns a subclass of ``kind`` without torch's wrappers for its compiler.

    A wrapped method imports the compiler, which takes more than a second in every run. The class
    ``Optimizer`` adds its hooks to the unwrapped ``step`` again.
    """
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    return type(kind.__name__, (kind,), plain | {"step": torch.no_grad()(plain["step"])})


_WRAPPED = ("add_param_group", "step")


def _make_gradients_contiguous(optimizer: torch.optim.Optimizer, *_: object) -> None:
    """Makes every gradient contiguous, like its parameter.

    Torch's fused optimizers read gradients and parameters as flat memory. They would apply a
    transposed gradient to the wrong weights; torch 2.13 does not check this.
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
    """Whether the optimizer's step can be captured as a CUDA graph.

    All numbers that change must be on the device. In fused SGD only the learning rate changes; SGD
    has no option ``capturable``.
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
    """Returns the optimizer's state: moments and step counts.

    The keys are ``<parameter name>.<state name>``.
    """
    return {
        f"{name}.{key}": value
        for name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, torch.Tensor)  # the state of SGD without momentum is None
    }


def load_optimizer_tensors(
    optimizer: torch.optim.Optimizer, network: nn.Module, tensors: dict[str, torch.Tensor]
) -> None:
    """Restores the state that ``optimizer_tensors`` returned.

    Raises KeyError if a parameter is unknown. Raises ValueError if a tensor has another shape than
    its parameter or is not float32, because fused optimizers would read beyond the tensor's end, or
    if a parameter has only a part of its state.
    """
    parameters = dict(network.named_parameters())
    for key, value in tensors.items():
        name, _, what = key.rpartition(".")
        parameter = parameters[name]
        shape = torch.Size() if what == "step" else parameter.shape
        if value.shape != shape or value.dtype != torch.float32:
            raise ValueError(f"{key} has shape {list(value.shape)} and type {value.dtype}")
        optimizer.state[parameter][what] = value.to(parameter.device)
    for group in optimizer.param_groups:
        needed = _ADAPTIVE_STATE if "betas" in group else {"momentum_buffer"}
        for parameter in group["params"]:
            state = set(optimizer.state.get(parameter, ()))
            if state and not needed <= state:
                raise ValueError("a parameter lacks a part of the optimizer's state")


_ADAPTIVE_STATE = {"step", "exp_avg", "exp_avg_sq"}
