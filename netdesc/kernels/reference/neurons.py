"""The definition of the operator ``neurons``: a program's forward step in plain torch.

A table says how torch computes each operation. Forward, states are 64-bit
integers, so that nothing can overflow. Backward, a second table computes the same values in double
precision and threshold units, and torch's autograd differentiates them: rounding and saturation
pass gradients straight through. The adjoint of a program is never read, so that other engines
can be checked against this one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from netdesc.kernels.fixed_point import DECAY_BITS, DECAY_ONE, STATE_LIMIT, STATE_UNIT
from netdesc.kernels.grid import GRADIENT_SIGNS, truncate
from netdesc.kernels.layer_neurons import PRODUCT, KernelNeurons, NeuronsGradients, NeuronsOutput
from netdesc.neurons.expressions import Expression, Value, expression, in_order
from netdesc.neurons.operations import BOOL, GRID, SHARE
from netdesc.neurons.program import Program


class _Arithmetic(NamedTuple):
    operations: Mapping[str, Callable[..., Tensor]]
    """Operation -> a function of its arguments, and of ``Expression.value`` unless it is None."""
    constant: Callable[[Expression], Tensor]
    has_gradients: bool
    """Whether ``with_gradient`` gets more than its first argument."""


_STATES: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "subtract": torch.subtract,
    "negate": torch.negative,
    "absolute": lambda a: torch.where(a >= 0, a, -a),  # torch's own gradient of |0| is 0
    "minimum": lambda a, b: torch.where(a < b, a, b),
    "maximum": lambda a, b: torch.where(a > b, a, b),
    "scale": torch.multiply,
}

_CONDITIONS: dict[str, Callable[..., Tensor]] = {
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
    "and": torch.logical_and,
    "or": torch.logical_or,
}


def _times(state: Tensor, share: Tensor) -> Tensor:
    product = state * share
    return product.sign() * (product.abs() >> DECAY_BITS)


_INTEGERS = (
    _STATES
    | _CONDITIONS
    | {
        "where": torch.where,
        "times": _times,
        "saturate": lambda a: a.clamp(-STATE_LIMIT, STATE_LIMIT),
        "rest": lambda a: DECAY_ONE - a,
        "with_gradient": lambda a, *_: a,
    }
)
"""States and shares are int64, conditions are bool. There are no real numbers."""


def _straight_through(value: Tensor, through: Tensor) -> Tensor:
    return through + (value - through).detach()


def _real_arithmetic(neurons: KernelNeurons) -> _Arithmetic:
    """All values are float64: states in threshold units, shares as fractions, conditions 0 or 1."""
    unit, limit = neurons.state_unit, STATE_LIMIT / neurons.state_unit
    units = {GRID: unit, SHARE: DECAY_ONE}

    def condition(compare: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda a, b: compare(a, b).to(torch.float64)

    def where(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        chosen = torch.where(a.detach() != 0, b, c)
        return chosen + (a - a.detach()) * (b - c).detach()  # 0; the gradient of the condition

    def times(state: Tensor, share: Tensor) -> Tensor:
        product = state * share
        return _straight_through(torch.trunc(product * unit) / unit, product)

    def with_gradient(a: Tensor, *pairs: Tensor) -> Tensor:
        value = a.detach()
        for target, factor in zip(pairs[::2], pairs[1::2], strict=True):
            value = value + factor.detach() * (target - target.detach())
        return value

    def constant(each: Expression) -> Tensor:
        return torch.tensor(each.value, dtype=torch.float64) / units.get(each.type, 1)

    operations = {
        **_STATES,
        **{name: condition(compare) for name, compare in _CONDITIONS.items()},
        "multiply": torch.multiply,
        "divide": torch.divide,
        "fall": lambda a: torch.exp(-a.clamp(max=60)),
        "where": where,
        "times": times,
        "saturate": lambda a: _straight_through(a.clamp(-limit, limit), a),
        "rest": lambda a: 1 - a,
        "to_real": lambda a: a * (unit / STATE_UNIT),  # of a state: the forward step has no other
        "with_gradient": with_gradient,
    }
    return _Arithmetic(operations, constant, has_gradients=True)


class _Step(NamedTuple):
    """Values of one step, [batch, neurons] each."""

    before_reset: list[Tensor]
    states: list[Tensor]
    """After the reset."""
    fired: Tensor
    out: Tensor
    threshold: Tensor
    """0 if there is none."""


def _step_roots(program: Program) -> list[Expression]:
    forward, zero = program.forward, expression("constant", value=0, type=GRID)
    fired = forward.spike or expression("constant", value=0, type=BOOL)
    out = forward.output or fired
    if forward.output and forward.spike:
        out = expression("where", fired, out, zero, type=GRID)
    threshold = _threshold(program) or zero
    return [*forward.before_reset.values(), *forward.after.values(), fired, out, threshold]


def _threshold(program: Program) -> Expression | None:
    """Returns what a single state must reach or exceed for a spike; None if there is no such state.
    The surrogate gradient of a spike goes to this state first, and to the threshold last."""
    spike = program.forward.spike
    if spike is None or spike.arguments[1] not in program.forward.before_reset.values():
        return None
    return spike.arguments[-2]


def _run(
    program: Program,
    arithmetic: _Arithmetic,
    parameters: Sequence[Tensor],
    inputs_TBN: Sequence[Tensor],
    states: Sequence[Tensor],
    arrive: Callable[[Sequence[Tensor], Tensor], Sequence[Tensor]] = lambda inputs, _: inputs,
) -> Iterator[_Step]:
    """Yields the steps. ``states`` are the states before the first step, then who fired. ``arrive``
    adds to the inputs of a step what neurons read of their output in the step before."""
    roots, shape = _step_roots(program), inputs_TBN[0].shape[1:]
    count = len(program.states)
    order = in_order(roots, with_gradients=arithmetic.has_gradients)
    named = dict(zip(program.parameters, parameters, strict=True))
    constants = {each: named[str(each.value)] for each in order if each.operation == "parameter"}
    constants |= {each: arithmetic.constant(each) for each in order if each.operation == "constant"}
    changing = [each for each in order if each not in constants]
    expanded = {each: value.expand(shape) for each, value in constants.items() if each in roots}
    *states, fired = states
    out = fired
    for arriving in zip(*inputs_TBN, strict=True):
        inputs = arrive(arriving, out)
        leaves: dict[tuple[str, Value], Tensor] = {("fired_before", None): fired}
        leaves |= {("state", name): each for name, each in zip(program.states, states, strict=True)}
        leaves |= {("input", name): each for name, each in zip(program.inputs, inputs, strict=True)}
        computed = {**constants}
        for each in changing:
            if not each.arguments:
                computed[each] = leaves[each.operation, each.value]
                continue
            arguments = [computed[argument] for argument in each.arguments if argument in computed]
            factor = () if each.value is None else (each.value,)
            computed[each] = arithmetic.operations[each.operation](*arguments, *factor)
        found = [expanded[root] if root in expanded else computed[root] for root in roots]
        values = [each if each.shape == shape else each.expand(shape) for each in found]
        states, (fired, out, threshold) = values[count : 2 * count], values[2 * count :]
        yield _Step(values[:count], states, fired, out, threshold)


def neurons(
    inputs_TBN: Sequence[Tensor], neurons: KernelNeurons, states: Sequence[Tensor], keep: bool
) -> NeuronsOutput:
    """Runs neurons, as ``kernels.layer_neurons`` says."""
    program, first = neurons.program, inputs_TBN[0]
    count = len(program.states)
    grid_TBN, before, steps = _run_integers(inputs_TBN, neurons, states)
    unit = STATE_UNIT if neurons.is_graded else 1
    output = [before[count + 1].to(torch.float32) / unit] if neurons.delay else []
    counts = torch.zeros(count + 2, dtype=torch.int64, device=first.device)
    final: list[Tensor] = []
    for step in steps:
        out = step.out // (neurons.state_unit // STATE_UNIT) if neurons.is_graded else step.out
        output.append(out.to(torch.float32) / unit)
        for place, state in enumerate(step.before_reset):
            counts[place] = torch.maximum(counts[place], state.abs().max())
        final = [*step.states, step.fired, *[out] * neurons.delay] if states else []
    out_TBN = torch.stack(output[: len(first)])
    counts[count], counts[count + 1] = PRODUCT, out_TBN.count_nonzero()
    return NeuronsOutput(
        out_TBN, counts, [state.to(torch.int32) for state in final], grid_TBN if keep else []
    )


class NeuronTraces(NamedTuple):
    """Values over time, float32 [steps, batch, neurons] in threshold units."""

    states: dict[str, Tensor]
    """Each state before its reset."""
    threshold: Tensor | None
    """What a state must reach or exceed for a spike; None if the spike compares no single state."""
    inputs_TBN: Sequence[Tensor]
    """What arrived."""


def trace(
    inputs_TBN: Sequence[Tensor], neurons: KernelNeurons, states: Sequence[Tensor]
) -> NeuronTraces:
    """Returns the traces of a run. The arguments are those of ``neurons``."""
    _, _, steps = _run_integers(inputs_TBN, neurons, states)

    def stack(values: Iterable[Tensor]) -> Tensor:
        return (torch.stack(list(values)) / neurons.state_unit).to(torch.float32)

    kept = ((*step.before_reset, step.threshold) for step in steps)
    *by_state, threshold = map(stack, zip(*kept, strict=True))
    return NeuronTraces(
        dict(zip(neurons.program.states, by_state, strict=True)),
        threshold if _threshold(neurons.program) else None,
        inputs_TBN,
    )


def _run_integers(
    inputs_TBN: Sequence[Tensor], neurons: KernelNeurons, states: Sequence[Tensor]
) -> tuple[list[Tensor], list[Tensor], Iterator[_Step]]:
    """Returns the inputs in state units, the states before the first step, and the steps."""
    no_state = torch.zeros_like(inputs_TBN[0][0], dtype=torch.int64)
    count = len(neurons.program.states)
    before = [state.to(torch.int64) for state in states] or [no_state] * (count + 2)
    grid_TBN = [truncate(input_TBN.detach(), neurons.state_unit) for input_TBN in inputs_TBN]

    def constant(expression: Expression) -> Tensor:
        dtype = torch.bool if expression.type is BOOL else torch.int64
        return torch.tensor(expression.value, dtype=dtype)

    steps = _run(
        neurons.program,
        _Arithmetic(_INTEGERS, constant, has_gradients=False),
        [p if p.is_floating_point() else p.to(torch.int64) for p in neurons.parameters],
        grid_TBN,
        [*before[:count], before[count] != 0],
        lambda inputs, _: [input.to(torch.int64) for input in inputs],
    )
    return grid_TBN, before, steps


def neurons_backward(
    grad_out_TBN: Tensor,
    neurons: KernelNeurons,
    saved: Sequence[Tensor],
    weights_NN: Sequence[Tensor] = (),
) -> NeuronsGradients:
    """Runs the neurons again in double precision, and returns the gradients of torch's autograd.

    ``weights_NN`` are recurrent weights; ``saved`` then holds what came from them, too.
    """
    program, steps = neurons.program, grad_out_TBN.shape[0]
    kinds = list(program.parameters.values())
    units = {"decay": DECAY_ONE, "factor": DECAY_ONE, "real": 1}
    # Lets autograd work also in an operator that compiled code calls.
    key = torch._C.DispatchKey.AutogradFunctionality
    with torch.enable_grad(), torch._C._SetExcludeDispatchKeyGuard(key, False):
        inputs = [_leaf(each_TBN, neurons.state_unit) for each_TBN in saved]
        parameters = [
            _leaf(each_N, units.get(kind, neurons.state_unit))
            for kind, each_N in zip(kinds, neurons.parameters, strict=True)
        ]
        weights = [_leaf(tensor, 1) for tensor in weights_NN]
        zeros = torch.zeros_like(inputs[0][0])

        def arrive(inputs: Sequence[Tensor], out: Tensor) -> Sequence[Tensor]:
            """The inputs already hold what the weights add, so only its gradient is added."""
            if not weights:
                return inputs
            emitted = _straight_through(torch.floor(out * STATE_UNIT) / STATE_UNIT, out)
            fed_back = [emitted @ weight.T for weight in weights]
            return [a + (b - b.detach()) for a, b in zip(inputs, fed_back, strict=True)]

        run = _run(
            program,
            _real_arithmetic(neurons),
            parameters,
            inputs,
            [zeros] * (len(program.states) + 1),
            arrive,
        )
        out_TBN = torch.stack([step.out for step in run])
        loss = (out_TBN[: steps - neurons.delay] * grad_out_TBN[neurons.delay :]).sum()
    learnable = [parameters[place] for place in neurons.learnable]
    leaves = [*inputs, *weights, *learnable]
    if loss.requires_grad:
        grads = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    else:
        grads = [torch.zeros_like(leaf) for leaf in leaves]
    floats = iter([tensor.to(torch.float32) for tensor in grads])
    grad_inputs, grad_weights = (list(islice(floats, len(t))) for t in (inputs, weights))
    signs = [GRADIENT_SIGNS[kinds[index]] for index in neurons.learnable]
    signed = [sign * grad_N for sign, grad_N in zip(signs, floats, strict=True)]
    return NeuronsGradients(grad_inputs, grad_weights, signed)


def _leaf(value: Tensor, unit: int) -> Tensor:
    return (value.to(torch.float64) / unit).requires_grad_()
