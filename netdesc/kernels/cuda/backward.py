"""The backward time loop of any neuron in Triton: each program computes all steps of its columns.

A column is one neuron of one sample, as in ``forward``. Loops count steps backward: their step 0 is
the last step of the tensors. NaN and infinities propagate, so that training notices them.
"""

from __future__ import annotations

import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import (
    columns_of,
    existing_columns,
    load_rows,
    load_rows_of_each,
    move_each,
    row_of_each,
    split_slots,
    store_each,
    zeros_of_each,
)


@triton.jit
def _add_each(sums, values, exists):
    """Adds each of the values to its sum, except in columns that do not exist."""
    added = ()
    for k in tl.static_range(len(sums)):
        added = added + (sums[k] + tl.where(exists, values[k], 0.0),)
    return added


@triton.jit(do_not_specialize=["steps", "columns"])
def run_steps_back(
    grad_out,
    stored,
    parameters,
    strides,
    grad_inputs,
    grad_parameters,
    steps,
    columns,
    neurons,
    PREPARE: tl.constexpr,
    STEP: tl.constexpr,
    SLOTS: tl.constexpr,
    READS_BEFORE: tl.constexpr,
    CARRIES: tl.constexpr,
    LEARNT: tl.constexpr,
    DELAY: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Computes gradients of inputs and parameters from the gradient of the output.

    ``stored`` is what ``forward.run_steps`` stored. With ``READS_BEFORE``, a step also reads what
    the step before it stored. Writes ``grad_inputs``, pointers to float32 [steps, columns], and
    ``grad_parameters``, float32 [LEARNT, columns].
    """
    column = columns_of(tl.program_id(0), BLOCK)
    fixed = PREPARE(parameters, strides, column % neurons)
    carries = zeros_of_each(CARRIES, BLOCK, tl.float32)
    sums = zeros_of_each(LEARNT, BLOCK, tl.float32)
    row = columns.to(tl.int64)
    last = (steps.to(tl.int64) - 1) * row + column
    # With a delay, the output of the last step is not among the outputs.
    grad_out_at = grad_out + last + DELAY * row
    stored_at = split_slots(stored + last, steps * row, SLOTS)
    grad_inputs_at = move_each(grad_inputs, last)
    for start in range(0, steps, STEPS_PER_LOAD):
        grad_rows = load_rows(
            grad_out_at, -row, column, columns, start, DELAY, steps, STEPS_PER_LOAD
        )
        rows = load_rows_of_each(
            stored_at, -row, column, columns, start, 0, steps, STEPS_PER_LOAD + READS_BEFORE
        )
        for i in tl.static_range(STEPS_PER_LOAD):
            exists = existing_columns(column, columns, start + i, 0, steps)
            not_first = existing_columns(column, columns, start + i, 0, steps - 1)
            grads, carries, adds = STEP(
                fixed,
                row_of_each(rows, i),
                row_of_each(rows, i + READS_BEFORE),
                not_first,
                carries,
                grad_rows[i],
            )
            sums = _add_each(sums, adds, exists)
            store_each(grad_inputs_at, -i * row, grads, exists)
        grad_out_at -= STEPS_PER_LOAD * row
        stored_at = move_each(stored_at, -STEPS_PER_LOAD * row)
        grad_inputs_at = move_each(grad_inputs_at, -STEPS_PER_LOAD * row)
    store_each(split_slots(grad_parameters, row, LEARNT), column, sums, column < columns)
