"""Checks and gradients that the backward passes of operators share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from netdesc.kernels.engine import EngineError
from netdesc.kernels.parameter_grid import parameter_gradient


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
