"""Checks the shape of an array of target values."""

from __future__ import annotations

from netdesc.description.files.npy import join_shape
from netdesc.description.shapes import Shape


def target_shape_problem(
    actual: Shape, samples: int, steps: int | None, output: Shape
) -> tuple[str, str] | None:
    """Returns what is wrong with the shape ``actual`` of targets, and a hint; None if it fits.

    Each of ``samples`` samples has one target of the shape ``output`` or, unless ``steps`` is None,
    one for each of ``steps`` steps.
    """
    fitting = [(samples, *output)] + ([] if steps is None else [(samples, steps, *output)])
    if actual in fitting:
        return None
    expected = f"[{join_shape(fitting[0])}]"
    if steps is not None:
        expected += f", or [{join_shape(fitting[1])}] with one target per step"
    hint = ""
    if output == (1,) and (*actual, 1) in fitting:
        hint = "[…, None] adds the axis of the output"
    elif steps is None and len(actual) == len(output) + 2 and actual[2:] == output:
        hint = 'only "over": "each_step" compares every step'
    return f"has the shape [{join_shape(actual)}]; expected: {expected}", hint
