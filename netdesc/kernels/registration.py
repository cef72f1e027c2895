"""How an operator of ours becomes one of torch's: ``torch.ops.netdesc.<name>``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from netdesc.kernels.engine import requested_engine, use_engine

_library = torch.library.Library("netdesc", "DEF")


def operator(function: Callable[..., Any]) -> Any:
    """Define ``torch.ops.netdesc.<name>`` with the function's own schema.

    ``torch.library.custom_op`` would do, but loads torch's compiler when it is first called, which
    takes longer than a short training run.
    """
    name = function.__name__
    _library.define(name + torch.library.infer_schema(function, mutates_args=()))
    _library.impl(name, function, "CompositeExplicitAutograd")
    return getattr(torch.ops.netdesc, name).default


def fake(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register how shapes and types come out, for tracing without data."""
    return torch.library.register_fake(f"netdesc::{name}", lib=_library)


def gradient(name: str, backward: Callable[..., Any], setup_context: Callable[..., Any]) -> None:
    """Register the gradient of an operator; it runs on the engine of the forward pass.

    Where an input is a list of tensors, ``backward`` returns a list of gradients for it.
    ``torch.library.register_autograd`` would do, but it spends a tenth of a millisecond of Python
    on every call, which a small network notices.
    """
    registered = getattr(torch.ops.netdesc, name).default

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *flat_and_form: Any) -> Any:
            *flat, form = flat_and_form
            inputs = form.nested(flat)
            with torch._C._AutoDispatchBelowAutograd():
                output = registered(*inputs)
            ctx.engine, ctx.inputs = requested_engine(), len(flat)
            setup_context(ctx, inputs, output)
            if not isinstance(output, tuple):
                return output
            form.of_output = _Form(output)
            return tuple(_flat(output))

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            if torch.is_grad_enabled():
                raise NotImplementedError(f"netdesc::{name} has no second derivative")
            if all(grad is None for grad in grads):  # what was made of the output has none
                return (None,) * (ctx.inputs + 1)
            if ctx.engine == requested_engine():
                return *_flat(backward(ctx, *grads)), None
            with use_engine(ctx.engine):
                return *_flat(backward(ctx, *grads)), None

    def apply(*inputs: Any) -> Any:
        form = _Form(inputs)
        output = Gradient.apply(*_flat(inputs), form)
        return output if form.of_output is None else tuple(form.of_output.nested(output))

    _library.impl(name, apply, "Autograd")


def _is_tensors(item: Any) -> bool:
    return isinstance(item, list) and bool(item) and isinstance(item[0], torch.Tensor | None)


def _flat(items: Sequence[Any]) -> list[Any]:
    """The items, and in place of a list of tensors, these: torch sees no others in a function."""
    return [each for item in items for each in (item if _is_tensors(item) else (item,))]


class _Form:
    """Which of some items are lists of tensors, and how long these are."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._lengths = [len(item) if _is_tensors(item) else None for item in items]
        self.of_output: _Form | None = None

    def nested(self, flat: Sequence[Any]) -> list[Any]:
        items, at = list[Any](), 0
        for length in self._lengths:
            items.append(flat[at] if length is None else list(flat[at : at + length]))
            at += 1 if length is None else length
        return items
