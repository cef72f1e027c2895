"""A loss that a Python program passes in the place of the document's main loss."""

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netdesc.caller import UserError
from netdesc.graph import INPUT
from netdesc.graph.nodes import OUTPUT, Graph, Signal

LossFunction = Callable[[Mapping[str, Tensor], Tensor], Tensor]
"""``loss(signals, target)``, as ``api.train.RareArguments`` describes it."""


class LossError(UserError):
    """A loss of a Python program does not fit, or is not that of the run."""

    exit_code = 1


class PythonLoss:
    """Calls a ``LossFunction`` and checks what it returns. LossError if it cannot be a loss."""

    def __init__(self, function: LossFunction) -> None:
        if not callable(function):
            kind = type(function).__name__
            raise LossError(f"loss is a {kind}; a function loss(signals, target) is needed")
        if isinstance(function, nn.Module) and any(True for _ in function.parameters()):
            raise LossError("loss has parameters, which training would not change; use buffers")
        self.function, self.name = function, loss_name(function)

    def __call__(self, signals: Mapping[Signal, Tensor], target: Tensor) -> Tensor:
        """Returns the loss, a float32 scalar; an exception of the function gets a note."""
        named = {
            layer if signal == OUTPUT else f"{layer}.{signal}": tensor
            for (layer, signal), tensor in signals.items()
        }
        try:
            value: Any = self.function(named, target)
        except Exception as error:
            shapes = ", ".join(f'"{name}": {list(named[name].shape)}' for name in named)
            error.add_note(
                f"The loss {self.name} was called as loss(signals, target), with signals of the "
                f"shapes {{{shapes}}} and a target of {target.dtype} {list(target.shape)}."
            )
            raise
        problem = ""
        if not isinstance(value, Tensor):
            problem = f"returns {type(value).__name__}, and no tensor"
        elif value.dim() or not value.is_floating_point():
            problem = f"returns {value.dtype} {list(value.shape)}, and no scalar: sum the samples"
        elif torch.is_grad_enabled() and not value.requires_grad:
            problem = "has no gradient: compute it from signals, without detach() or item()"
        if problem:
            raise LossError(f"the loss {self.name} {problem}")
        return value.float()

    def try_out(self, graph: Graph, target: Tensor) -> None:
        """Calls the function with the signals of a silent network, before any work is done.

        A second call, with each sample twice, tells a sum over the samples from their mean.
        """
        axis = min(1, target.dim() - 1)
        value, of_twice = (
            self(_silence(graph, samples.shape[axis], samples.device), samples).item()
            for samples in (target, torch.cat([target, target], axis))
        )
        if math.isnan(value):
            raise LossError(f"the loss {self.name} is NaN for the output of a silent network")
        other, factor = ("sum", 2) if graph.loss.reduction == "mean" else ("mean", 1)
        if value and math.isclose(of_twice, factor * value, rel_tol=1e-4):
            raise LossError(
                f"the loss {self.name} is a {other} over the samples, that of the document a "
                f'{graph.loss.reduction}: set its "reduction" to "{other}", or return the other'
            )


def _silence(graph: Graph, batch: int, device: torch.device) -> dict[Signal, Tensor]:
    shapes = {INPUT: graph.input_shape} | {layer.name: layer.output_shape for layer in graph.layers}
    sizes = {key: (graph.lengths[key[0]], batch, *shapes[key[0]]) for key in graph.signals}
    return {key: torch.zeros(sizes[key], device=device, requires_grad=True) for key in sizes}


def loss_name(function: Any) -> str:
    """Returns module and name of a function, or of the class of an object.

    The module of a script is named after its file. A lambda is told by its file and line.
    """
    named = function if hasattr(function, "__qualname__") else type(function)
    module, name = named.__module__, named.__qualname__
    if module == "__main__":
        module = inspect.getmodulename(getattr(sys.modules[module], "__file__", "")) or module
    if "<lambda>" in name:
        code = function.__code__
        name += f" ({Path(code.co_filename).name}:{code.co_firstlineno})"
    return f"{module}.{name}"


def check_same_loss(
    path: Path, name: str | None, function: LossFunction | None, is_resumed: bool = False
) -> None:
    """Raises LossError unless ``function`` has the ``name`` with which a run or a lock trains."""
    passed = None if function is None else loss_name(function)
    if name is None and is_resumed and passed is not None:
        raise LossError(f"{path}: this run has the document's loss; leave out loss={passed}")
    if name not in (None, passed):
        other = "" if passed is None else f" (this is {passed})"
        way = f"pass it again: netdesc.train(…, loss=…){other}"
        raise LossError(f"{path}: it trains with the loss {name} of a Python program; {way}")
