"""Tensors of neurons between the forward and the backward pass of an operator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from netdesc.kernels.engine import EngineError
from netdesc.kernels.parameter_grid import parameter_gradient
from netdesc.neurons.definition import ParameterKind


def keep_for_backward(
    ctx: Any,
    kinds: Iterable[ParameterKind],
    parameters: Sequence[Tensor],
    others: Sequence[Tensor | None],
) -> None:
    """Saves parameters of neurons, of ``kinds``, and other tensors for ``kept_for_backward``.

    A schedule may change real parameters before the backward pass. They are not saved with the
    others, because autograd refuses saved tensors that have changed.
    """
    ctx.real = [
        each if kind == "real" else None for each, kind in zip(parameters, kinds, strict=True)
    ]
    on_grid = [each for each, real in zip(parameters, ctx.real, strict=True) if real is None]
    ctx.save_for_backward(*on_grid, *others)


def kept_for_backward(ctx: Any) -> tuple[list[Tensor], list[Any]]:
    """Returns the parameters and the other tensors that ``keep_for_backward`` has saved."""
    saved = iter(ctx.saved_tensors)
    parameters = [next(saved) if real is None else real for real in ctx.real]
    return parameters, list(saved)


def check_saved(saved: Sequence[Tensor], shapes: Sequence[tuple[int, ...]]) -> None:
    """Raises EngineError unless ``saved`` has the shapes that the engine in use saves.

    Another engine may have saved it in compiled code, which does not record the engine.
    """
    if [each.shape for each in saved] != shapes:
        raise EngineError(
            "the forward pass ran on another engine; with torch.compile, call forward and backward "
            "pass in the same use_engine()"
        )


def gradients_of_parameters(
    parameters: Sequence[Tensor], places: Sequence[int], found: Sequence[Tensor]
) -> list[Tensor | None] | None:
    """Returns a gradient or None for each parameter; ``found`` are those at ``places``, [neurons].

    Returns None if there are no parameters.
    """
    grads: list[Tensor | None] = [None] * len(parameters)
    for place, grad_N in zip(places, found, strict=True):
        grads[place] = parameter_gradient(grad_N, parameters[place])
    return grads or None
