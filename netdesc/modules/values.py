"""Initial values: a number, numbers drawn from a range or spaced over it, and dither."""

import functools
from typing import Any

import torch
from torch import Tensor, nn


def initial_value(
    given: float | tuple[float, float],
    count: int | None,
    generator: torch.Generator | None,
    *,
    is_log_spaced: bool = False,
) -> Tensor:
    """Returns a value of neurons, float32 [count], or [] if ``count`` is None.

    ``given`` is a number, or a range (low, high), from which each neuron draws its own. With
    ``is_log_spaced``, the values divide the range by equal ratios, from high to low.
    """
    low, high = given if isinstance(given, tuple) else (given, given)
    value = torch.full(() if count is None else (count,), low, dtype=torch.float32)
    if low == high:
        return value
    if is_log_spaced:
        part = torch.linspace(0, 1, value.numel(), dtype=torch.float64).view(value.shape)
        return (high * (low / high) ** part).float().clamp(low, high)
    return value.uniform_(low, high, generator=generator)


class NamedParts(nn.Module):
    """Modules or tensors by name. A name may also be that of an attribute of all modules.

    Such a part is an attribute with ``_`` after its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attributes: dict[str, str] = {}
        """Name of a part -> its attribute."""

    def attribute_for(self, name: str) -> str:
        """Returns the attribute for the part ``name``, which is chosen at the first call."""
        if name not in self.attributes:
            attribute = name
            while hasattr(self, attribute):
                attribute += "_"
            self.attributes[name] = attribute
        return self.attributes[name]

    def __getitem__(self, name: str) -> Any:
        attribute = self.attributes[name]
        for table in (self._parameters, self._modules):  # torch looks them up slowly
            if attribute in table:
                return table[attribute]
        return getattr(self, attribute)  # a buffer, or what a parametrization computes


class Layers(NamedParts):
    """The blocks of a network by the names of their layers."""

    def __init__(self) -> None:
        super().__init__()
        name_in_state_dicts(self, "")

    def __setitem__(self, name: str, block: nn.Module) -> None:
        self.add_module(self.attribute_for(name), block)


class NeuronValues(NamedParts):
    """The values of a layer's neurons: parameters if they are learnt, else buffers."""

    def learn(self, name: str, value: Tensor) -> None:
        self.register_parameter(self.attribute_for(name), nn.Parameter(value))

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, nn.Parameter) and name in dict(self.named_buffers(recurse=False)):
            raise TypeError(f'{name} is a tensor, not a Parameter: to learn it, name it in "learn"')
        super().__setattr__(name, value)


def name_in_state_dicts(owner: nn.Module, path: str) -> None:
    """Lets state dicts have the parts of ``owner.<path>`` by their names, as if ``owner`` had them.

    If ``path`` is empty, they are the parts of ``owner`` itself. The names do not change when this
    module does, so that state dicts and checkpoints of before fit.
    """
    owner.register_state_dict_post_hook(functools.partial(_to_names, path))
    owner.register_load_state_dict_pre_hook(functools.partial(_to_attributes, path))


def _to_names(path: str, owner: Any, state: dict[str, Any], prefix: str, *_: Any) -> None:
    names = {each: name for name, each in owner.get_submodule(path).attributes.items()}
    inner = prefix + f"{path}." * bool(path)
    for key in [key for key in state if key.startswith(prefix)]:  # their order stays
        value = state.pop(key)
        if key.startswith(inner):
            attribute, dot, rest = key.removeprefix(inner).partition(".")
            key = prefix + names.get(attribute, attribute) + dot + rest
        state[key] = value


def _to_attributes(path: str, owner: Any, state: dict[str, Any], prefix: str, *_: Any) -> None:
    attributes, inner = owner.get_submodule(path).attributes, f"{path}." * bool(path)
    for key in [key for key in state if key.startswith(prefix)]:
        name, dot, rest = key.removeprefix(prefix).partition(".")
        if name in attributes and bool(dot) != bool(path):  # tensors have no parts, modules have
            name = inner + attributes[name]
        elif path and name == "parametrizations":  # those of torch, for tensors
            name = inner + name
        state[prefix + name + dot + rest] = state.pop(key)


def places(values: Tensor, generator: torch.Generator) -> Tensor:
    """Returns random places within rounding cells of size 1, from −0.49 to 0.49, like ``values``.

    The generator is one of the CPU.
    """
    drawn = torch.rand(values.shape, generator=generator, dtype=torch.float32)
    return (0.98 * drawn - 0.49).to(values.device)
