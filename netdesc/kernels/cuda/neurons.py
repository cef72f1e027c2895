"""The CUDA engine's functions for any neurons; ``kernels.layer_neurons`` says what they compute."""

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from netdesc.kernels import layer_neurons
from netdesc.kernels.cuda.launch import on_tensor_device, start_time_loop
from netdesc.kernels.cuda.printer import generate
from netdesc.kernels.cuda.time_loops import run_adjoints, run_steps
from netdesc.kernels.fixed_point import STATE_UNIT
from netdesc.neurons.expressions import in_order


@on_tensor_device
def neurons(
    inputs_TBN: Sequence[Tensor],
    neurons: layer_neurons.KernelNeurons,
    states: Sequence[Tensor],
    keep: bool,
) -> layer_neurons.NeuronsOutput:
    """Runs neurons."""
    program = neurons.program
    constants_of, step = generate(neurons.definition, neurons.learn, "step")
    first = inputs_TBN[0]
    shape, columns = first.shape, first[0].numel()
    count = len(program.states)
    out_TBN = torch.empty_like(first, memory_format=torch.contiguous_format)
    shapes = layer_neurons.saved_shapes(neurons, shape, "cuda") if keep else [(0,)]
    saved = [first.new_empty(size, dtype=torch.int32) for size in shapes]
    counts = torch.zeros(count + 2, dtype=torch.int64, device=first.device)
    names = layer_neurons.state_names(neurons) if states else []
    final = [first.new_empty(shape[1:], dtype=torch.int32) for _ in names]
    start_time_loop(
        run_steps,
        columns,
        tuple(input_TBN.contiguous() for input_TBN in inputs_TBN),
        *_pointers(neurons),
        tuple(state.contiguous() for state in states),
        out_TBN,
        saved[0],
        tuple(final),
        counts,
        shape[0],
        columns,
        neurons.count,
        added_to=(counts,),
        CONSTANTS_OF=constants_of,
        STEP=step,
        STATES=count,
        SLOTS=len(program.forward.stored) if keep else 0,
        UNIT=neurons.state_unit,
        OUT_UNIT=1.0 / STATE_UNIT if neurons.is_graded else 1.0,
        DELAY=neurons.delay,
    )
    return layer_neurons.NeuronsOutput(out_TBN, counts, final, saved if keep else [])


@on_tensor_device
def neurons_backward(
    grad_out_TBN: Tensor, neurons: layer_neurons.KernelNeurons, saved: Sequence[Tensor]
) -> layer_neurons.NeuronsGradients:
    """Returns the gradients of the inputs and of the learnable parameters."""
    program = neurons.program
    constants_of, adjoint = generate(neurons.definition, neurons.learn, "adjoint")
    grad_out_TBN = grad_out_TBN.contiguous()
    shape, columns = grad_out_TBN.shape, grad_out_TBN[0].numel()
    grad_inputs = [torch.empty_like(grad_out_TBN) for _ in program.inputs]
    learnable, expressions = neurons.learnable, in_order(chain(*program.adjoint.roots))
    reads_before = any(a.operation == "stored_before" for a in expressions)
    grad_LBN = grad_out_TBN.new_empty(len(learnable), *shape[1:])
    start_time_loop(
        run_adjoints,
        columns,
        grad_out_TBN,
        saved[0].contiguous(),
        *_pointers(neurons),
        tuple(grad_inputs),
        grad_LBN,
        shape[0],
        columns,
        neurons.count,
        CONSTANTS_OF=constants_of,
        ADJOINT=adjoint,
        SLOTS=len(program.forward.stored),
        READS_BEFORE=int(reads_before),
        CARRIES=len(program.adjoint.carries),
        LEARNT=len(learnable),
        DELAY=neurons.delay,
    )
    return layer_neurons.NeuronsGradients(grad_inputs, [], [*grad_LBN.sum(1)] if learnable else [])


def _pointers(neurons: layer_neurons.KernelNeurons) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
    parameters = tuple(neurons.real_parameters)
    return parameters, tuple(p.stride(0) if p.dim() else 0 for p in parameters)
