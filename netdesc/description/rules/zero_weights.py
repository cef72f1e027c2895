"""Initial weights that are all zero on the device."""

from __future__ import annotations

import math
from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import Dense
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.shape_trace import shape_locations

LARGEST_ZERO = 1 / 64
"""2·round(32·w) is 0 up to this weight: a half is rounded to the even of two numbers."""


def check(context: Context) -> Iterator[Finding]:
    if context.document.weights is not None:
        return
    for index, layer in enumerate(context.document.layers):
        shape = context.wiring.inputs[index]
        if not isinstance(layer, Dense) or layer.quantization is None or layer.weight_norm:
            continue
        if shape is None:
            continue
        root = math.sqrt(math.prod(shape))
        bound = layer.weight_scale / root
        if bound <= LARGEST_ZERO:
            least, ample = _rounded_up(root * LARGEST_ZERO), _rounded_up(root * LARGEST_ZERO * 4)
            yield Finding(
                ("layers", index, "weight_scale"),
                f'the initial weights of layer "{layer.name}" are within ±{bound:.3g}, so that all '
                "become 2·round(32·w) = 0",
                hint=f'use a "weight_scale" above {least:g}',
                notes=(f"with {ample:g} three quarters of the weights are not 0",),
                related=shape_locations(context.document, context.wiring.sources[index][0], shape),
            )


def _rounded_up(number: float) -> float:
    """A number with three digits that is no smaller."""
    unit = 10.0 ** (math.floor(math.log10(number)) - 2)
    return round(math.ceil(number / unit) * unit, 12)


ENTRY = Entry(
    code="ND236",
    title="initial weights that are all zero on the device",
    cause=(
        "Initial weights are uniform in ±weight_scale/sqrt(inputs), and netdesc trains with "
        "their values on the device's grid, 2·round(32·w). Up to 1/64 that is 0: the layer "
        "would receive nothing, and so learn nothing."
    ),
    fix=(
        "Use a larger weight_scale, train with weight_norm, or give quantization null for a "
        "layer that stays in floating point."
    ),
    at="/layers/0/weight_scale",
    wrong="0.03",
    right="1",
    severity="warning",
)
