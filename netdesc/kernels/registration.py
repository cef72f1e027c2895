"""Registers netdesc's operators with torch as ``torch.ops.netdesc.<name>``.

Torch's dispatcher takes as long as a small kernel. So an operator is called through it only where
something else than this process' autograd wants to see the call: a compiler, a transform or a mode.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from netdesc.kernels.engines import requested_engine, use_engine

_library = torch.library.Library("netdesc", "DEF")


def operator(function: Callable[..., Any]) -> Any:
    """Decorates a function that becomes the operator ``torch.ops.netdesc.<name of the function>``.

    ``torch.library.custom_op`` is not used, because its first call loads torch's compiler, which
    takes longer than a short training run.
    """
    name = function.__name__
    _library.define(name + torch.library.infer_schema(function, mutates_args=()))
    _library.impl(name, function, "CompositeExplicitAutograd")
    registered = getattr(torch.ops.netdesc, name).default

    @functools.wraps(function)
    def call(*inputs: Any, **named: Any) -> Any:
        if named or is_observed():
            return registered(*inputs, **named)
        return (_with_gradients.get(name, function) if torch.is_grad_enabled() else function)(
            *inputs
        )

    return call


_with_gradients: dict[str, Callable[..., Any]] = {}
"""Name of an operator -> the function that computes it and records its gradient."""


def is_observed() -> bool:
    """Whether a call must pass torch's dispatcher, because a compiler, transform or mode sees it.

    These functions are not documented by torch; they exist in 2.6 and later.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._len_torch_dispatch_stack() > 0
        or torch._C._len_torch_function_stack() > 0
        or torch._C._are_functorch_transforms_active()
        or torch._C._get_tracing_state() is not None
    )


def fake(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a function that returns empty outputs of the operator ``name``.

    Torch's compiler calls this function to learn the outputs' shapes and types. Its parameters and
    results have the types of the operator's, which are not written again.
    """
    return torch.library.register_fake(f"netdesc::{name}", lib=_library)


def gradient(call: Any, backward: Callable[..., Any], setup_context: Callable[..., Any]) -> None:
    """Registers the gradient of an operator, computed on the engine of the forward pass.

    ``setup_context(ctx, inputs, output)`` and ``backward(ctx, grad)`` are as in
    ``torch.autograd.Function``. The first output alone has a gradient. For an input that is a list
    of tensors, ``backward`` returns a list of gradients. ``torch.library.register_autograd`` is not
    used, because it adds a tenth of a millisecond to every call, which slows small networks down.
    """
    function, name = call.__wrapped__, call.__name__
    registered = getattr(torch.ops.netdesc, name).default
    are_lists = [str(each.type) == "List[Tensor]" for each in registered._schema.arguments]

    def flatten(items: Sequence[Any]) -> list[Any]:
        """Replaces lists by their tensors, as autograd does not track tensors in lists."""
        pairs = zip(items, are_lists, strict=True)
        return [each for item, is_list in pairs for each in ((item or ()) if is_list else (item,))]

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *flat_and_call: Any) -> Any:
            exchanged = flat_and_call[-1]
            (inputs,) = exchanged
            if is_observed():
                with torch._C._AutoDispatchBelowAutograd():
                    output = registered(*inputs)
            else:
                output = function(*inputs)
            ctx.engine, ctx.inputs = requested_engine(), len(flat_and_call)
            ctx.set_materialize_grads(False)
            setup_context(ctx, inputs, output)
            exchanged.append(output)
            return output[0] if isinstance(output, tuple) else output

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            (grad,) = grads
            if torch.is_grad_enabled():
                raise NotImplementedError(f"netdesc::{name} has no second derivative")
            if grad is None:  # no loss depends on the output
                return (None,) * ctx.inputs
            if ctx.engine == requested_engine():
                return *flatten(backward(ctx, grad)), None
            with use_engine(ctx.engine):
                return *flatten(backward(ctx, grad)), None

    def apply(*inputs: Any) -> Any:
        exchanged: list[Any] = [inputs]
        first = Gradient.apply(*flatten(inputs), exchanged)
        output = exchanged[1]
        return (first, *output[1:]) if isinstance(output, tuple) else first

    _with_gradients[name] = apply
    _library.impl(name, apply, "Autograd")
