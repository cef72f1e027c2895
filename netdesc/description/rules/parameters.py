"""Rules about the numbers of neurons, and about ranges."""

import math
from collections.abc import Callable

from netdesc.description.models import ValueData
from netdesc.description.rules.rule import Context, Found, Issue, RelatedPath, rule
from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.models.fields import SHARE_RANGES


@rule("ND211")
def threshold_zero(context: Context) -> Found:
    for parameter in context.neuron_parameters():
        # Without spikes, a threshold of 0 hands on every difference; own equations may mean it.
        for parts, end in parameter.ends if parameter.is_spike_threshold else ():
            if int(64 * end) == 0:
                message = f"the threshold {end:g} becomes trunc(64·threshold) = 0 on the device"
                yield Issue(parts, message, "use at least 0.015625")


_STORED: dict[ParameterKind, tuple[str, Callable[[float], int], tuple[int, ...]]] = {
    "decay": ("round(4096·p)", lambda p: round(4096 * p), (0, 4096)),
    "factor": ("round(4096·p)", lambda p: round(4096 * p), (-4096, 0, 4096)),
    "threshold": ("trunc(64·p)", lambda p: int(64 * p), (0,)),
    "grid": ("trunc(4096·p)", lambda p: int(4096 * p), (0,)),
}
"""Kind -> how the device stores a value p, and the results to which only one number should lead."""

_DECAYS = {0: ": the state never fades", 4096: ": the state is dropped in one step"}


@rule("ND212")
def rounding_surprise(context: Context) -> Found:
    for parameter in context.neuron_parameters():
        if parameter.kind not in _STORED or parameter.is_spike_threshold:
            continue  # ND211 refuses such a threshold
        text, store, surprising = _STORED[parameter.kind]
        for place, end in parameter.ends:
            stored = store(end)
            exact = stored // 4096
            if stored in surprising and end != exact:
                effect = _DECAYS[stored] if parameter.kind == "decay" else ""
                result = f"{text} = {stored}{effect}"
                message = f'{end:.10g} of the kind "{parameter.kind}" becomes {result}'
                yield Issue(place, message, f"write {exact} if you mean this")


@rule("ND215")
def range_without_per_channel(context: Context) -> Found:
    for parameter in context.neuron_parameters():
        if isinstance(parameter.value, tuple) and not parameter.neuron.per_channel:
            message = f"{parameter.name} is a range, but the layer's neurons share one value"
            related = (RelatedPath((*parameter.neuron_parts, "per_channel"), "one value for all"),)
            yield Issue(parameter.parts, message, 'add "per_channel": true', related)


@rule("ND216")
def range_order(context: Context) -> Found:
    for parameter in context.neuron_parameters():
        if isinstance(parameter.value, tuple) and parameter.value[0] > parameter.value[1]:
            low, high = parameter.value
            message = f"the range of {parameter.name} goes from {low:g} down to {high:g}"
            related = (RelatedPath((*parameter.parts, 1), "the high end"),)
            hint = f"write [{high:g}, {low:g}]"
            yield Issue((*parameter.parts, 0), message, hint, related)
    data = context.document.data
    if not isinstance(data, ValueData):
        return
    low, high = data.range
    if low >= high:
        message = f"data.range goes from {low:g} to {high:g}: the first must be smaller"
        first = RelatedPath(("data", "range", 0), "the low end")
        yield Issue(("data", "range", 1), message, related=(first,))
    elif math.isinf(high - low):  # every value would be encoded as 0, so that no input spikes
        message = f"data.range goes from {low:g} to {high:g}, too far apart for a 64-bit float"
        hint = "write the smallest and the largest value"
        yield Issue(("data", "range"), message, hint)


MAX_STATE = (1 << 23) - 1
"""The value at which the device clips states, in units of the neuron's states."""


@rule("ND224")
def threshold_range(context: Context) -> Found:
    for parameter in context.neuron_parameters():
        bits = parameter.neuron.unit_bits
        # Of the parameters that netdesc brings, states are compared with the threshold alone.
        is_level = parameter.name == "threshold" or parameter.neuron.has_own_equations
        is_level = is_level and parameter.kind in ("threshold", "grid")
        for parts, end in parameter.ends if is_level else ():
            coarse = 6 if parameter.kind == "threshold" else 12
            if int(abs(end) * 2**coarse) << bits - coarse >= MAX_STATE:
                message = f"no state of the device reaches {end:g}"
                yield Issue(parts, message, f"stay within ±{MAX_STATE + 1 >> bits}")


@rule("ND242")
def share_range(context: Context) -> Found:
    for parameter in context.neuron_parameters():
        low, high = SHARE_RANGES.get(parameter.kind, (-math.inf, math.inf))
        learnt = parameter.neuron.learnable() if parameter.name in parameter.neuron.learn else {}
        least, most = learnt.get(parameter.name, (low, high))
        for parts, end in parameter.ends:
            if not low <= end <= high:
                message = f"the {parameter.kind} {end:.10g} is not between {low:g} and {high:g}"
                steps = end if parameter.kind == "decay" else 0.0
                share = f"{1 - math.exp(-1 / steps):.3g}" if steps > 1 else ""
                hint = f"write {share} for a time constant of {end:g} steps" if share else ""
                yield Issue(parts, message, hint)
            elif not least <= end <= most:
                message = f'"{parameter.name}" begins at {end:.10g}, and training keeps it between '
                message += f"{least:.10g} and {most:.10g}"
                yield Issue(parts, message, "begin in this range, or leave the name out of learn")
