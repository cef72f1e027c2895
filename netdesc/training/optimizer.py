"""The optimizer, the rules its gradients must obey, and its state as plain tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks


def build_optimizer(spec: Any, network: nn.Module) -> torch.optim.Optimizer:
    """The optimizer that ``document.training.optimizer`` describes.

    Weight decay acts on synapses. Learnt neuron parameters are spared: a decay constant that
    shrinks toward 0 is not a simpler neuron but one that never forgets.
    """
    synapses, neurons = [], []
    for name, parameter in network.named_parameters():
        (synapses if ".synapse." in name else neurons).append(parameter)
    groups = [
        {"params": synapses, "weight_decay": spec.weight_decay},
        {"params": neurons, "weight_decay": 0.0},
    ]
    rate = rate_for(next(network.parameters()).device, spec.learning_rate)
    return _BUILDERS[spec.type](spec, rate, [group for group in groups if group["params"]])


_Rate = float | torch.Tensor
_Kind = TypeVar("_Kind", bound=torch.optim.Optimizer)


def rate_for(device: torch.device, rate: float) -> _Rate:
    """The rate; on a GPU as a number of the device, which can change under a captured step."""
    if device.type != "cuda":
        return rate
    return torch.tensor(rate, dtype=torch.float32, device=device)


def _light(kind: type[_Kind]) -> type[_Kind]:
    """The same optimizer without what torch wraps round its methods for compiler and profiler.

    To call the compiler's loads it, which takes a third of the time of a short command; to tell the
    profiler of a step takes half as long as the step of a small network. Where somebody has
    registered a hook, a step is as torch wraps it.
    """
    plain_step, fused = inspect.unwrap(kind.step), _FUSED.get(kind)

    def bare_step(self: torch.optim.Optimizer, closure: Any = None) -> Any:
        with torch.no_grad():
            if fused is None or closure is not None or not _has_begun_on_cpu(self):
                return plain_step(self, closure)
            for group in self.param_groups:
                _adapt(fused, self.state, group)
            return None

    with_hooks = torch.optim.Optimizer.profile_hook_step(bare_step)

    def step(self: torch.optim.Optimizer, closure: Any = None) -> Any:
        return (with_hooks if _has_hooks(self) else bare_step)(self, closure)

    def zero_grad(self: torch.optim.Optimizer) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    vars(step)["hooked"] = True  # torch takes it for wrapped already
    methods = {
        "add_param_group": inspect.unwrap(kind.add_param_group),
        "zero_grad": zero_grad,
        "step": step,
    }
    return cast(type[_Kind], type(kind.__name__, (kind,), methods))


_FUSED: dict[type[torch.optim.Optimizer], Callable[..., None] | None] = {
    torch.optim.Adam: getattr(torch, "_fused_adam_", None),
    torch.optim.AdamW: getattr(torch, "_fused_adamw_", None),
}
"""What the steps of torch's fused optimizers come down to, where torch still has it."""


def _has_begun_on_cpu(optimizer: torch.optim.Optimizer) -> bool:
    """Whether all numbers are on the CPU, and every parameter has its moments."""
    return all(
        not isinstance(group["lr"], torch.Tensor)
        and all(optimizer.state[parameter] for parameter in group["params"])
        for group in optimizer.param_groups
    )


def _adapt(fused: Callable[..., None], memory: Any, group: dict[str, Any]) -> None:
    """Adam's step for a group, without what torch does to sort its tensors by device and type.

    They are of one device and type here, and sorting takes twice as long as the step of a small
    network.
    """
    parameters = [each for each in group["params"] if each.grad is not None]
    if not parameters:
        return
    states = [memory[each] for each in parameters]
    steps = [state["step"] for state in states]
    for step in steps:
        count = step.numpy()
        count[()] = count.item() + 1  # torch's and numpy's additions take ten times as long
    beta1, beta2 = group["betas"]
    fused(
        parameters,
        [each.grad for each in parameters],
        [state["exp_avg"] for state in states],
        [state["exp_avg_sq"] for state in states],
        [],
        steps,
        amsgrad=False,
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        maximize=False,
    )


def _has_hooks(optimizer: torch.optim.Optimizer) -> bool:
    """Whether something is to be called before or after a step, of this optimizer or of all."""
    return bool(
        optimizer._optimizer_step_pre_hooks
        or optimizer._optimizer_step_post_hooks
        or _global_optimizer_pre_hooks
        or _global_optimizer_post_hooks
    )


def _adam(spec: Any, rate: _Rate, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return _light(torch.optim.Adam)(groups, rate, **_adaptive(spec, rate))


def _adamw(spec: Any, rate: _Rate, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return _light(torch.optim.AdamW)(groups, rate, **_adaptive(spec, rate))


def _adaptive(spec: Any, rate: _Rate) -> dict[str, Any]:
    is_on_gpu = isinstance(rate, torch.Tensor)
    return {
        "betas": tuple(spec.betas), "eps": spec.eps, "fused": True, "capturable": is_on_gpu
    }  # fmt: skip


def _sgd(spec: Any, rate: _Rate, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return _light(torch.optim.SGD)(
        groups,
        lr=rate,
        momentum=spec.momentum,
        nesterov=spec.nesterov,
        fused=True,
    )


_BUILDERS: dict[str, Callable[[Any, _Rate, list[dict[str, Any]]], torch.optim.Optimizer]] = {
    "adam": _adam,
    "adamw": _adamw,
    "sgd": _sgd,
}


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def is_capturable(optimizer: torch.optim.Optimizer) -> bool:
    """Whether all numbers of a step that change are on the device, so that a graph can hold it.

    SGD, when it is fused, has none but the rate, and nothing to ask for.
    """
    return all(
        isinstance(group["lr"], torch.Tensor)
        and group["lr"].device == group["params"][0].device
        and group.get("capturable", group.get("fused"))
        for group in optimizer.param_groups
    )


def make_contiguous(parameters: Iterable[nn.Parameter]) -> None:
    """Lays out every gradient like its parameter.

    The fused optimizers walk both as flat memory: a transposed gradient would be applied to the
    wrong weights, and torch 2.13 does not complain.
    """
    for parameter in parameters:
        if parameter.grad is not None and not parameter.grad.is_contiguous():
            parameter.grad = parameter.grad.contiguous()


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, network: nn.Module
) -> dict[str, torch.Tensor]:
    """The optimizer's memory as ``<parameter name>.<what>`` (moments and step counts)."""
    return {
        f"{name}.{key}": value
        for name, parameter in network.named_parameters()
        for key, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, torch.Tensor)  # SGD without momentum keeps a None
    }


def load_optimizer_tensors(
    optimizer: torch.optim.Optimizer, network: nn.Module, tensors: dict[str, torch.Tensor]
) -> None:
    """Puts back what ``optimizer_tensors`` returned, on the devices of the parameters."""
    memory: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        name, _, what = key.rpartition(".")
        memory.setdefault(name, {})[what] = value
    for name, parameter in network.named_parameters():
        if name in memory:
            optimizer.state[parameter] = {
                what: value.to(parameter.device) for what, value in memory[name].items()
            }
