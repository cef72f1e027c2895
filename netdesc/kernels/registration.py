"""How an operator of ours becomes one of torch's: ``torch.ops.netdesc.<name>``."""

from __future__ import annotations

from collections.abc import Callable
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

    ``torch.library.register_autograd`` would do, but it spends a tenth of a millisecond of Python
    on every call, which a small network notices.
    """
    registered = getattr(torch.ops.netdesc, name).default

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            with torch._C._AutoDispatchBelowAutograd():
                output = registered(*inputs)
            ctx.engine, ctx.inputs = requested_engine(), len(inputs)
            setup_context(ctx, inputs, output)
            return output

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            if torch.is_grad_enabled():
                raise NotImplementedError(f"netdesc::{name} has no second derivative")
            if all(grad is None for grad in grads):  # what was made of the output has none
                return (None,) * ctx.inputs
            if ctx.engine == requested_engine():
                return backward(ctx, *grads)
            with use_engine(ctx.engine):
                return backward(ctx, *grads)

    _library.impl(name, Gradient.apply, "Autograd")
