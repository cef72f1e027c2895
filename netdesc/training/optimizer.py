"""Builds the torch optimizer of a document, and saves and restores the optimizer's state."""

import inspect
import math
from typing import Any

import torch
from torch import nn

from netdesc.description.models import Training
from netdesc.description.models.training import RELATIVE_RATE, ParameterKind
from netdesc.modules import Network


def build_optimizer(training: Training, network: Network) -> torch.optim.Optimizer:
    """Builds the optimizer that ``document.training`` describes, with its groups of parameters.

    Weight decay acts on the weights of synapses only. It must not act on the decays of neurons: a
    neuron whose decay shrinks toward 0 never forgets; nor on a gain, which alone decides how large
    normalised weights are. Each group of the result has a ``rate``, its learning rate in units of
    the optimizer's.
    """
    spec, device = training.optimizer, next(network.parameters()).device
    sections = {layer.name: layer.section for layer in network.graph.neuron_layers}
    members: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        rates = (
            each.learning_rate
            for each in training.groups
            if each.has(*parameter_kind(name, network))
        )
        _, layer, part, *_, last = name.split(".")
        decays = part in ("synapse", "recurrent") and last == "weight"
        decays = decays and sections[layer].decays_weights
        weight_decay = spec.weight_decay if decays else 0.0
        key = weight_decay, next(rates, training.learning_rate)
        members.setdefault(key, []).append(parameter)
    groups: list[dict[str, Any]] = [
        {
            "params": parameters,
            "weight_decay": weight_decay,
            "lr": device_rate(device, rate),
            "rate": rate / training.learning_rate,
        }
        for (weight_decay, rate), parameters in members.items()
    ]
    # On a GPU, all numbers that change are there, so that a step can be captured. In fused SGD,
    # which has no option ``capturable``, only the learning rate changes.
    is_on_gpu = isinstance(groups[0]["lr"], torch.Tensor)
    kind, options, is_fused = _KINDS[spec.type]
    chosen = {option: getattr(spec, option) for option in options}
    if "betas" in chosen:
        chosen["capturable"] = is_on_gpu
    chosen["fused" if is_fused else "foreach"] = is_fused or is_on_gpu
    optimizer = _without_compiler(kind)(groups, **chosen)
    optimizer.register_step_pre_hook(_make_gradients_contiguous)
    return optimizer


_ADAPTIVE = ("betas", "eps")
_KINDS: dict[str, tuple[type[Any], tuple[str, ...], bool]] = {
    "adam": (torch.optim.Adam, _ADAPTIVE, True),
    "adamw": (torch.optim.AdamW, _ADAPTIVE, True),
    "radam": (torch.optim.RAdam, _ADAPTIVE, False),
    "sgd": (torch.optim.SGD, ("momentum", "nesterov"), True),
}
"""Maps a document's optimizer type to torch's class, the options that both have, and whether torch
has a fused step."""


@torch.no_grad()
def find_rate(network: Network) -> float:
    """Returns the learning rate for a document that states none, of three digits.

    Steps of Adam are about as large as the rate; weights grow with thresholds, and shrink with the
    number of inputs. Without trained weights that differ, a typical weight of 0.1 is assumed.
    """
    parts = [part.weight for _, block in network.blocks() for part in block.synapse.parts]
    trained = [weight[weight != 0].double() for weight in parts if weight.requires_grad]
    sizes = [weight.std().log().item() for weight in trained if len(weight.unique()) > 1]
    typical = math.exp(sum(sizes) / len(sizes)) if sizes else 0.1
    return float(f"{RELATIVE_RATE * typical:.3g}")


def parameter_kind(name: str, network: Network) -> tuple[str, ParameterKind]:
    """Returns the layer and the kind of the parameter ``name`` of a network."""
    _, layer, part, *_, last = name.split(".")
    if part == "neuron":
        kinds = dict(network.blocks())[layer].neuron.section.value_kinds()
        if last in kinds:
            return layer, "thresholds" if kinds[last] == "threshold" else "decays"
    return layer, _KIND_OF_NAME.get(last, "weights")


_KIND_OF_NAME: dict[str, ParameterKind] = {"bias": "biases", "delay": "delays"}


def device_rate(device: torch.device, rate: float) -> float | torch.Tensor:
    """Returns the learning rate, on a GPU as a tensor, from which captured steps read it."""
    if device.type != "cuda":
        return rate
    return torch.tensor(rate, dtype=torch.float32, device=device)


def _without_compiler(kind: type[Any]) -> type[Any]:
    """Returns a subclass of ``kind`` without torch's wrappers for its compiler.

    A wrapped method imports the compiler, which takes more than a second in every run. The class
    ``Optimizer`` adds its hooks to the unwrapped ``step`` again.
    """
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in ("add_param_group", "step")}
    return type(kind.__name__, (kind,), plain | {"step": torch.no_grad()(plain["step"])})


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
    """Sets the learning rate ``rate``; groups with a rate of their own get theirs in proportion."""
    for group in optimizer.param_groups:
        own = rate * group["rate"]
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(own)
        else:
            group["lr"] = own


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, network: nn.Module
) -> dict[str, torch.Tensor]:
    """Returns the optimizer's moments and step counts as ``<parameter name>.<state name>``."""
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

    Raises KeyError if a parameter is unknown, and ValueError if a tensor has another shape than its
    parameter or is not float32, because fused optimizers would read beyond the tensor's end.
    """
    parameters = dict(network.named_parameters())
    for key, value in tensors.items():
        name, _, what = key.rpartition(".")
        parameter = parameters[name]
        shape = torch.Size() if what == "step" else parameter.shape
        if value.shape != shape or value.dtype != torch.float32:
            raise ValueError(f"{key} has shape {list(value.shape)} and type {value.dtype}")
        optimizer.state[parameter][what] = value.to(parameter.device)
