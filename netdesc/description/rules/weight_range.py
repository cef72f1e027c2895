import math

from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND251",
    "a range of weights that the device does not have",
    at="/layers/0/quantization",
    wrong='{"bits": 4, "range": 3}',
    right='{"bits": 4, "range": 2}',
)
def check(context: Context) -> Found:
    """Weights of few bits are multiples of a step, 2·range/2^bits, which is a power of two and at
    least 1/32. So the range is a power of two from 2^bits/64 to 4.

    Use such a range, or more bits.
    """
    for index, layer in context.neuron_layers():
        grid = layer.quantization
        if grid is None:
            continue
        lowest = 2**grid.bits / 64
        if not lowest <= grid.range or math.frexp(grid.range)[0] != 0.5:
            nearest = 2.0 ** round(math.log2(max(grid.range, lowest)))
            yield RuleDiagnostic(
                ("layers", index, "quantization", "range"),
                f"weights of {grid.bits} bits have no range of {grid.range:g}: it is a power of "
                f"two from {lowest:g} to 4",
                hint=f"the nearest is {nearest:g}",
            )
