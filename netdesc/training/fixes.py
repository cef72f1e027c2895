"""Settings that may mend what went wrong: the arguments of ``--set`` in a finding."""

import math
from collections.abc import Iterable

from netdesc.description.models.layers.fields import AUTO
from netdesc.graph import SynapticNode
from netdesc.training.initial_scales import neuron_path, threshold_path
from netdesc.training.setup import Setup

MIN_WIDE_TAU_GRAD = 0.3
"""If a surrogate gradient is at least this wide, a narrower one is suggested; else a wider one."""
RETRY_RATE_FACTOR = 0.3
"""The suggested learning rate is the run's learning rate times this factor, …"""
MAX_RETRY_RATE = 0.01
"""… but at most this."""

LOWEST_THRESHOLD = 0.016
"""The device rounds lower ones to 0."""
RATE = "training.optimizer.learning_rate"
SCALES = ("weight_scale", "recurrent_weight_scale")
Fix = tuple[str, list[str]]
"""A purpose, and the arguments for ``--set``, all in one command."""


def lower_rate(setup: Setup) -> list[Fix]:
    """Returns the advice to train again with a lower learning rate."""
    rate = min(RETRY_RATE_FACTOR * setup.training.learning_rate, MAX_RETRY_RATE)
    return [("Try again with a lower learning rate", [f"{RATE}={rate:.3g}"])]


def higher_rate(setup: Setup) -> list[Fix]:
    """Returns the advice to train again with a learning rate that is usual, or ten times higher."""
    rate = max(10 * setup.training.learning_rate, MAX_RETRY_RATE)
    return [("Try again with a higher learning rate", [f"{RATE}={rate:.3g}"])]


def other_weights(setup: Setup, layer: SynapticNode, larger: bool) -> list[Fix]:
    """Returns the advice to draw larger or smaller initial weights, if the layer draws some.

    Where the document states their scale, netdesc may find it first.
    """
    automatic, fixes = _scales_to_find(layer), list[Fix]()
    index = [other.name for other in setup.graph.layers].index(layer.name)
    if not automatic:
        return []
    if any(_is_stated(setup, f"/layers/{index}/{name}") for name in SCALES):
        fixes.append(("Let netdesc find the scale of initial weights", automatic))
    scale = layer.section.drawn_scale / 10
    if larger:
        # With this scale, the largest initial weights are at least 4 of the device's units (1/32).
        scale = max(20 * scale, math.sqrt(math.prod(layer.weight_shape[1:])) / 8)
    purpose = f"Try {'larger' if larger else 'smaller'} initial weights"
    return [*fixes, (purpose, [f"layers.{layer.name}.weight_scale={scale:.3g}"])]


def _scales_to_find(layer: SynapticNode) -> list[str]:
    """Returns the settings with which netdesc finds the scales of the layer's weights, if it can.
    The lock of a run holds numbers in their place."""
    fields = type(layer.section).model_fields
    names = [name for name in SCALES if name in fields and fields[name].default == AUTO]
    return [f"layers.{layer.name}.{name}={AUTO}" for name in names]


def _is_stated(setup: Setup, pointer: str) -> bool:
    """Whether the document states a value at or below a JSON pointer."""
    return any(
        origin not in ("default", "found") and (at == pointer or at.startswith(f"{pointer}/"))
        for at, origin in setup.description.origins.items()
    )


def other_threshold(layer: SynapticNode, factor: float) -> list[Fix]:
    """Returns the advice to multiply the threshold, if the neurons have one number for it."""
    threshold = layer.neuron.values().get("threshold")
    if not isinstance(threshold, float):
        return []
    changed = max(factor * threshold, LOWEST_THRESHOLD)
    purpose = f"Try a {'lower' if factor < 1 else 'higher'} threshold"
    return [(purpose, [f"{threshold_path(layer)}={changed:.3g}"])]


def room_for_weights(layer: SynapticNode) -> list[Fix]:
    """Returns what may help weights at the limits of their grid: all is relative to thresholds."""
    return [
        ("Try a lower threshold, and weights that fit it", settings + _scales_to_find(layer))
        for _, settings in other_threshold(layer, 0.25)
    ]


def other_surrogate(setup: Setup, layer: SynapticNode, wider: bool | None = None) -> list[Fix]:
    """Returns the advice to take the default surrogate gradient, or a wider or narrower one.

    With None, this depends on the present width.
    """
    if layer.neuron.equations().spike is None:
        return []
    path, json_pointer = neuron_path(layer), "/" + neuron_path(layer).replace(".", "/")
    if json_pointer.startswith("/layers"):
        index = [other.name for other in setup.graph.layers].index(layer.name)
        json_pointer = f"/layers/{index}/neuron"
    names = ("tau_grad", "scale_grad", "surrogate")
    resets = [
        f"{path}.{name}=null"
        for name in names
        if _is_stated(setup, f"{json_pointer}/{name}") and getattr(layer.neuron, name) is not None
    ]
    if resets:
        return [("Try the default surrogate gradient", resets)]
    schedule = layer.neuron.width_schedule
    is_constant = isinstance(schedule, (int, float))
    width = schedule if is_constant else schedule.start
    wider = width < MIN_WIDE_TAU_GRAD if wider is None else wider
    change, factor = ("wider", 3) if wider else ("narrower", 0.1)
    field = "tau_grad" if layer.neuron.surrogate is None else "surrogate.width"
    setting = f"{path}.{field}{'' if is_constant else '.start'}={factor * width:.3g}"
    return [(f"Try a {change} surrogate gradient", [setting])]


def gradients_through_resets(layers: Iterable[SynapticNode]) -> list[Fix]:
    """Returns the advice to let gradients pass through resets, where there are some."""
    neurons = [
        neuron_path(layer)
        for layer in layers
        if layer.neuron.equations().reset and layer.neuron.reset_gradient == "ignore"
    ]
    settings = [f"{neuron}.reset_gradient=exact" for neuron in dict.fromkeys(neurons)]
    return [("Try gradients that pass through resets", settings)] if settings else []


def other_loss(setup: Setup) -> list[Fix]:
    """Returns what may help a classifier whose loss falls without its score."""
    graph, ways = setup.graph, list[Fix]()
    for index, penalty in enumerate(graph.regularizers):
        setting = f"regularizers.{index}.weight={penalty.weight / 10:.3g}"
        ways.append((f"Try a smaller weight of regularizer {index + 1}", [setting]))
    better = "cross_entropy" if graph.read_by_state else "spike_max"
    if graph.loss.type != better and len(graph.losses) == 1:
        ways.append((f"Try the loss {better}", [f'loss={{"type": "{better}"}}']))
    return ways or lower_rate(setup)


def more_spikes(setup: Setup, layer: SynapticNode) -> list[Fix]:
    """Returns what may help a layer that is silent."""
    more_input = [*other_weights(setup, layer, larger=True), *other_threshold(layer, 0.5)]
    return [*more_input, *other_surrogate(setup, layer)]
