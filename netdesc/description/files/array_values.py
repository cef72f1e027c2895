"""Names wrong values and shapes of arrays in messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netdesc.description.files.npy import Header


def bad_values(
    name: str, header: Header, values: Sequence[float], is_bad: Callable[[float], bool]
) -> tuple[str, float, int]:
    """Returns the place of the first bad value, this value, and the number of bad values.

    The place is a text such as ``inputs[0, 3]``. At least one value must be bad.
    """
    bad = [position for position, value in enumerate(values) if is_bad(value)]
    return f"{name}[{join_shape(header.index(bad[0]))}]", values[bad[0]], len(bad)


def join_shape(shape: Sequence[int]) -> str:
    """Returns the lengths of a shape's axes, separated by commas."""
    return ", ".join(map(str, shape))
