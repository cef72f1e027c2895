"""Registers netdesc's operators with torch as ``torch.ops.netdesc.<name>``."""

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
    return getattr(torch.ops.netdesc, name).default


def fake(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorates a function that returns empty outputs of the operator ``name``.

    Torch's compiler calls this function to learn the outputs' shapes and types. Its parameters and
    results have the types of the operator's, which are not written again.
    """
    return torch.library.register_fake(f"netdesc::{name}", lib=_library)


def gradient(name: str, backward: Callable[..., Any], setup_context: Callable[..., Any]) -> None:
    """Registers the gradient of an operator. It is computed on the engine of the forward pass.

    ``setup_context(ctx, inputs, output)`` and ``backward(ctx, grad)`` are as in
    ``torch.autograd.Function``. The first output alone has a gradient. For an input that is a list
    of tensors, ``backward`` returns a list of gradients. ``torch.library.register_autograd`` is not
    used, because it adds a tenth of a millisecond to every call, which slows small networks down.
    """
    registered = getattr(torch.ops.netdesc, name).default
    are_lists = [str(each.type) == "List[Tensor]" for each in registered._schema.arguments]

    def flatten(items: Sequence[Any]) -> list[Any]:
        """Replaces lists by their tensors, as autograd does not track tensors in lists."""
        pairs = zip(items, are_lists, strict=True)
        return [each for item, is_list in pairs for each in ((item or ()) if is_list else (item,))]

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *flat_and_call: Any) -> Any:
            call = flat_and_call[-1]
            (inputs,) = call
            with torch._C._AutoDispatchBelowAutograd():
                output = registered(*inputs)
            ctx.engine, ctx.inputs = requested_engine(), len(flat_and_call)
            ctx.set_materialize_grads(False)
            setup_context(ctx, inputs, output)
            call.append(output)
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
        call: list[Any] = [inputs]
        first = Gradient.apply(*flatten(inputs), call)
        output = call[1]
        return (first, *output[1:]) if isinstance(output, tuple) else first

    _library.impl(name, apply, "Autograd")
