"""The time loops of any neuron in Triton: each program computes all steps of its columns.

A column is one neuron of one sample, so each step has ``columns`` = batch · neurons columns. The
step of a neuron and its adjoint are functions that ``printer`` writes.
"""

import triton
import triton.language as tl

from netdesc.kernels.cuda.steps import (
    LIMIT,
    existing_columns,
    load_rows,
    load_rows_of_each,
    move_each,
    row_of_each,
    split_slots,
    store_each,
    truncate,
    zeros_of_each,
)


@triton.jit
def _states_of_row(rows, ROW: tl.constexpr, UNIT: tl.constexpr):
    """Returns one row of inputs as states, of which ``UNIT`` are a threshold unit, saturated."""
    states = ()
    for k in tl.static_range(len(rows)):
        states = states + (truncate(rows[k][ROW], UNIT, LIMIT),)
    return states


@triton.jit
def _choose_each(condition, a, b):
    chosen = ()
    for k in tl.static_range(len(a)):
        chosen = chosen + (tl.where(condition, a[k], b[k]),)
    return chosen


@triton.jit
def _largest(peaks, states, exists):
    """Returns the larger magnitudes; columns that do not exist count as 0."""
    largest = ()
    for k in tl.static_range(len(peaks)):
        magnitude = tl.where(exists, tl.abs(states[k]), 0)
        largest = largest + (tl.maximum(peaks[k], magnitude),)
    return largest


@triton.jit
def _load_each(at, column, columns, COUNT: tl.constexpr):
    loaded = ()
    for k in tl.static_range(COUNT):
        loaded = loaded + (tl.load(at[k] + column, mask=column < columns, other=0),)
    return loaded


@triton.jit(do_not_specialize=["steps", "columns"])
def run_steps(
    inputs,
    parameters,
    strides,
    initial,
    out,
    stored,
    final,
    counts,
    steps,
    columns,
    neurons,
    CONSTANTS_OF: tl.constexpr,
    STEP: tl.constexpr,
    STATES: tl.constexpr,
    SLOTS: tl.constexpr,
    UNIT: tl.constexpr,
    OUT_UNIT: tl.constexpr,
    DELAY: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Computes all steps of neurons, as ``kernels.layer_neurons`` says.

    ``inputs`` are pointers to float32 [steps, columns], ``parameters`` to float32 [neurons]
    (``strides`` 1) or [] (0). ``initial`` and ``final`` are pointers to int32 [columns], or empty.
    ``UNIT`` states are a threshold unit. Outputs are multiplied by ``OUT_UNIT``.

    Writes ``out`` (float32 [steps, columns]), ``stored`` (int32 [SLOTS, steps, columns]) and
    ``final``, and updates ``counts`` (int64 [STATES + 2], zeros before). They are integers, so that
    the order of programs does not change them.
    """
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    constants = CONSTANTS_OF(parameters, strides, column % neurons, BLOCK)
    states = zeros_of_each(STATES + 1, BLOCK, tl.int32)
    delayed = tl.zeros((BLOCK,), tl.int32)
    if len(initial):
        states = _load_each(initial, column, columns, STATES + 1)
        if DELAY:
            delayed = tl.load(initial[STATES + 1] + column, mask=column < columns, other=0)
    peaks = zeros_of_each(STATES, BLOCK, tl.int32)
    count = tl.zeros((BLOCK,), tl.int32)
    row = columns.to(tl.int64)
    inputs_at, out_at = move_each(inputs, column), out + column
    stored_at = split_slots(stored + column, steps * row, SLOTS)
    for start in range(0, steps, STEPS_PER_LOAD):
        rows = load_rows_of_each(inputs_at, row, column, columns, start, 0, steps, STEPS_PER_LOAD)
        for i in tl.static_range(STEPS_PER_LOAD):
            exists = existing_columns(column, columns, start + i, 0, steps)
            values = _states_of_row(rows, i, UNIT)
            after, value, saved, extents = STEP(constants, values, states, BLOCK)
            if len(final):  # steps beyond the last one must not change the states
                after = _choose_each(exists, after, states)
            states = after
            emitted = value
            if DELAY:
                emitted = delayed
                delayed = tl.where(exists, value, delayed)
            store_each(stored_at, i * row, saved, exists)
            tl.store(out_at + i * row, emitted.to(tl.float32) * OUT_UNIT, mask=exists)
            # States are not always 0 beyond the last step and the last column.
            peaks = _largest(peaks, extents, exists)
            count += tl.where(exists & (emitted != 0), 1, 0)
        inputs_at = move_each(inputs_at, STEPS_PER_LOAD * row)
        stored_at = move_each(stored_at, STEPS_PER_LOAD * row)
        out_at += STEPS_PER_LOAD * row
    for k in tl.static_range(STATES):
        tl.atomic_max(counts + k, tl.max(peaks[k], 0).to(tl.int64))
    tl.atomic_add(counts + STATES + 1, tl.sum(count.to(tl.int64), 0))
    if len(final):
        store_each(final, column, states + (delayed,), column < columns)


@triton.jit
def _add_each(sums, values, exists):
    added = ()
    for k in tl.static_range(len(sums)):
        added = added + (sums[k] + tl.where(exists, values[k], 0.0),)
    return added


@triton.jit(do_not_specialize=["steps", "columns"])
def run_adjoints(
    grad_out,
    stored,
    parameters,
    strides,
    grad_inputs,
    grad_parameters,
    steps,
    columns,
    neurons,
    CONSTANTS_OF: tl.constexpr,
    ADJOINT: tl.constexpr,
    SLOTS: tl.constexpr,
    READS_BEFORE: tl.constexpr,
    CARRIES: tl.constexpr,
    LEARNT: tl.constexpr,
    DELAY: tl.constexpr,
    STEPS_PER_LOAD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Computes gradients of inputs and parameters from the gradient of the output.

    ``stored`` is what ``run_steps`` stored. With ``READS_BEFORE``, a step also reads what
    the step before it stored. Writes ``grad_inputs``, pointers to float32 [steps, columns], and
    ``grad_parameters``, float32 [LEARNT, columns].
    """
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    constants = CONSTANTS_OF(parameters, strides, column % neurons, BLOCK)
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
            grads, carries, adds = ADJOINT(
                constants,
                row_of_each(rows, i),
                row_of_each(rows, i + READS_BEFORE),
                start + i >= steps - 1,
                grad_rows[i],
                carries,
                BLOCK,
            )
            sums = _add_each(sums, adds, exists)
            store_each(grad_inputs_at, -i * row, grads, exists)
        grad_out_at -= STEPS_PER_LOAD * row
        stored_at = move_each(stored_at, -STEPS_PER_LOAD * row)
        grad_inputs_at = move_each(grad_inputs_at, -STEPS_PER_LOAD * row)
    store_each(split_slots(grad_parameters, row, LEARNT), column, sums, column < columns)
