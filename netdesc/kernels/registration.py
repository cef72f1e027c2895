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


def operator(check: Callable[..., None] | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a function that becomes the operator ``torch.ops.netdesc.<name of the function>``.

    ``check`` takes the same arguments, and raises ValueError if they do not fit. A caller that has
    checked them calls ``<operator>.unchecked``.

    ``torch.library.custom_op`` is not used, because its first call loads torch's compiler, which
    takes longer than a short training run.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        name = function.__name__

        @functools.wraps(function)
        def checked(*inputs: Any) -> Any:
            if check is not None:
                check(*inputs)
            return function(*inputs)

        _library.define(name + torch.library.infer_schema(function, mutates_args=()))
        _library.impl(name, checked, "CompositeExplicitAutograd")
        registered = getattr(torch.ops.netdesc, name).default

        def unchecked(*inputs: Any) -> Any:
            if is_observed():
                return registered(*inputs)
            if torch.is_grad_enabled() and name in _with_gradients:
                return _with_gradients[name](*inputs)
            return function(*inputs)

        def call(*inputs: Any, **named: Any) -> Any:
            if named or is_observed():
                return registered(*inputs, **named)
            if check is not None:
                check(*inputs)
            return unchecked(*inputs)

        operator: Any = functools.wraps(function)(call)
        operator.unchecked = unchecked
        return operator

    return decorate


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
    ``torch.autograd.Function``, but ``backward`` returns gradients of the tensors, which are the
    first inputs; for an input that is a list of tensors, it returns a list. The first output alone
    has a gradient. ``torch.library.register_autograd`` is not used, because it adds a tenth of a
    millisecond to every call, which slows small networks down.
    """
    name = call.__name__
    registered = getattr(torch.ops.netdesc, name).default

    def dispatch(*inputs: Any) -> Any:
        with torch._C._AutoDispatchBelowAutograd():
            return registered(*inputs)

    kinds = [str(argument.type) for argument in registered._schema.arguments]
    are_lists = [kind == "List[Tensor]" for kind in kinds if "Tensor" in kind]
    parts = name, are_lists, backward, setup_context
    _with_gradients[name] = _differentiable(call.__wrapped__, *parts)
    _library.impl(name, _differentiable(dispatch, *parts), "Autograd")


def _differentiable(
    compute: Callable[..., Any],
    name: str,
    are_lists: Sequence[bool],
    backward: Callable[..., Any],
    setup_context: Callable[..., Any],
) -> Callable[..., Any]:
    """Returns ``compute`` with its gradient. ``are_lists`` describes its inputs with tensors."""

    def flatten(items: Sequence[Any]) -> Sequence[Any]:
        """Replaces lists by their tensors, as autograd does not track tensors in lists."""
        if True not in are_lists:
            return items[: len(are_lists)]
        pairs = zip(items, are_lists, strict=False)
        return [each for item, is_list in pairs for each in ((item or ()) if is_list else (item,))]

    class Gradient(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *tensors_and_exchanged: Any) -> Any:
            exchanged = tensors_and_exchanged[-1]
            (inputs,) = exchanged
            output = compute(*inputs)
            ctx.engine = requested_engine()
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
                return (None,) * len(ctx.needs_input_grad)
            if ctx.engine == requested_engine():
                return *flatten(backward(ctx, grad)), None
            with use_engine(ctx.engine):
                return *flatten(backward(ctx, grad)), None

    def apply(*inputs: Any) -> Any:
        exchanged: list[Any] = [inputs]
        first = Gradient.apply(*flatten(inputs), exchanged)
        output = exchanged[1]
        return (first, *output[1:]) if isinstance(output, tuple) else first

    return apply
