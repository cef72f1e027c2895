"""Registers netdesc's operators with torch as ``torch.ops.netdesc.<name>``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from netdesc.kernels.engine import requested_engine, use_engine

_library = torch.library.Library("netdesc", "DEF")


def operator(function: Callable[..., Any]) -> Any:
    """Decorates a function that becomes the operator ``torch.ops.netdesc.<name of the function>``.

    ``torch.library.custom_op`` is not used, because its first call loads torch's compiler, which
    takes longer than a short training run.
    """
    name = function.__name__
    _library.define(name + torch.library.infer_schema(function, mutates_args=()))
    _library.impl(name, function, "CompositeExplicitAutograd")
    return getattr(torch.ops.netdesc, name).default


def fake(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a function that returns empty outputs of the operator ``name``.

    Torch's compiler calls this function to learn the outputs' shapes and types.
    """
    return torch.library.register_fake(f"netdesc::{name}", lib=_library)


def gradient(name: str, backward: Callable[..., Any], setup_context: Callable[..., Any]) -> None:
    """Registers the gradient of an operator. It is computed on the engine of the forward pass.

    ``setup_context(ctx, inputs, output)`` and ``backward(ctx, *grads)`` are as in
    ``torch.autograd.Function``; for an input that is a list of tensors, ``backward`` returns a list
    of gradients. ``torch.library.register_autograd`` is not used, because it adds a tenth of a
    millisecond to every call, which slows small networks down.
    """
    registered = getattr(torch.ops.netdesc, name).default

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *flat_and_structure: Any) -> Any:
            *flat, structure = flat_and_structure
            inputs = structure.restore(flat)
            with torch._C._AutoDispatchBelowAutograd():
                output = registered(*inputs)
            ctx.engine, ctx.inputs = requested_engine(), len(flat)
            setup_context(ctx, inputs, output)
            if not isinstance(output, tuple):
                return output
            structure.output_structure = _ListStructure(output)
            return tuple(_flatten(output))

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            if torch.is_grad_enabled():
                raise NotImplementedError(f"netdesc::{name} has no second derivative")
            if all(grad is None for grad in grads):  # no loss depends on the output
                return (None,) * (ctx.inputs + 1)
            if ctx.engine == requested_engine():
                return *_flatten(backward(ctx, *grads)), None
            with use_engine(ctx.engine):
                return *_flatten(backward(ctx, *grads)), None

    def apply(*inputs: Any) -> Any:
        structure = _ListStructure(inputs)
        output = Gradient.apply(*_flatten(inputs), structure)
        output_structure = structure.output_structure
        return output if output_structure is None else tuple(output_structure.restore(output))

    _library.impl(name, apply, "Autograd")


def _is_tensors(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and isinstance(item[0], torch.Tensor | None)


def _flatten(items: Sequence[Any]) -> list[Any]:
    """Replaces lists of tensors by their tensors, as autograd does not track tensors in lists."""
    return [each for item in items for each in (item if _is_tensors(item) else (item,))]


class _ListStructure:
    """Remembers which items are lists of tensors, and their lengths, to undo ``_flatten``."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._lengths = [len(item) if _is_tensors(item) else None for item in items]
        self.output_structure: _ListStructure | None = None

    def restore(self, flat: Sequence[Any]) -> list[Any]:
        """Returns the items that ``_flatten`` turned into ``flat``."""
        items, at = list[Any](), 0
        for length in self._lengths:
            items.append(flat[at] if length is None else list(flat[at : at + length]))
            at += 1 if length is None else length
        return items
