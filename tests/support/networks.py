"""Random documents over the whole language of layers: neuron × layer × options."""

import copy
import json
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from support.kernel_layers import kernel_layers
from support.neuron_definitions import example_fields

from netdesc.api.load import check
from netdesc.description.neuron_text import own_options
from netdesc.neurons.models import NEURONS

COMPILED: tuple[dict[str, Any], ...] = (
    example_fields("cuba"),
    example_fields("alif") | {"learn": ["threshold_step"], "per_channel": True},
    example_fields("rf") | {"learn": ["period"]},
    example_fields("integrator") | {"learn": ["current_decay"], "norm": "mean"},
)
"""The neurons that are drawn by default, so that few kernels are compiled: those that other tests
compile as well.
"""


@st.composite
def any_neuron(draw: st.DrawFn, kinds: Sequence[str] = ()) -> dict[str, Any]:
    """A neuron of any type with any common options that its equations have a place for."""
    kind = draw(st.sampled_from(kinds or sorted(NEURONS)))
    fields = example_fields(kind)
    section = NEURONS[kind].model_validate_json(json.dumps(fields))
    learnable = sorted(section.learnable())
    own = {name: draw(st.sampled_from(each)) for name, each in own_options(type(section)).items()}
    options: dict[str, Any] = own | {
        "learn": draw(st.lists(st.sampled_from(learnable), unique=True)) if learnable else [],
        "per_channel": draw(st.booleans()),
        "dropout": draw(st.sampled_from((0.0, 0.5))),
    }
    if section.has_norm:
        options["norm"] = draw(st.sampled_from((None, "mean", "mean_variance")))
    if section.equations().spike is not None:
        options["graded"] = draw(st.booleans())
        options["reset_gradient"] = draw(st.sampled_from(("ignore", "exact")))
    return fields | options


OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "bias": st.booleans(),
    "weight_norm": st.booleans(),
    "axonal_delay_step": st.sampled_from((None, True, False)),
    "delay": st.none()
    | st.builds(lambda steps: {"steps": steps}, st.integers(0, 4))
    | st.just({"learn": True, "max_steps": 5, "initial_steps": [0, 3]}),
    "mask": st.none() | st.builds(lambda seed: {"density": 0.6, "seed": seed}, st.integers(0, 9)),
    "quantization": st.just({})
    | st.builds(lambda bits: {"bits": bits, "range": 4}, st.integers(2, 8))
    | st.builds(lambda bits: {"bits": bits, "range": 2.0 ** (bits - 6)}, st.integers(2, 7))
    | st.none(),
}
"""Fields that all layers with synapses have."""

DENSE: tuple[dict[str, Any], ...] = (
    {"type": "dense", "units": 5},
    {"type": "recurrent", "units": 5, "recurrent_weight_scale": 2.0},
    {"type": "winner_take_all", "units": 5, "winners": 2},
    # Files do not hold the axonal step of neurons at the input, of which the export warns.
    {"type": "neurons", "weight": 0.75, "bias": -0.25, "axonal_delay_step": False},
)


@st.composite
def views(draw: st.DrawFn) -> dict[str, Any]:
    """A layer without synapses, which may not fit its input."""
    kernel = draw(st.lists(st.integers(1, 3), min_size=2, max_size=2))
    padding = [draw(st.integers(0, size // 2)) for size in kernel]
    pool = {"kernel": kernel, "stride": draw(st.none() | st.integers(1, 3)), "padding": padding}
    sources, axis = draw(st.permutations(["first", "input"])), draw(st.integers(0, 2))
    number = draw(st.integers(1, 5))
    kinds: list[dict[str, Any]] = [
        {"type": "flatten"},
        {"type": "delay", "steps": number},
        {"type": "time_decimation", "factor": number},
        {"type": "population_average", "units": number},
        {"type": "max_pool", **pool},
        {"type": "average_pool", **pool},
        {"type": "concat", "from": sources, "axis": axis},
    ]
    return {"name": "view"} | draw(st.sampled_from(kinds))


@st.composite
def networks(draw: st.DrawFn, neurons: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """Draws a document that netdesc accepts: a layer of any kind, one without synapses, and a dense
    layer behind them.
    """
    flat = st.sampled_from(DENSE).map(lambda layer: (layer, (6,)))
    layer, shape = draw(st.one_of(flat, kernel_layers()))
    chosen = {name: draw(values) for name, values in OPTIONS.items() if name not in layer}
    neuron = draw(st.none() | neurons)
    first = {"name": "first", "neuron": neuron, "weight_scale": 3.0, **layer, **chosen}
    view = draw(views())
    last = {"name": "last", "type": "dense", "units": 4, "weight_scale": 4.0, "neuron": COMPILED[0]}
    document = {
        "format": 1,
        "name": "drawn",
        "time": {"steps": 12, "step_ms": 1},
        "input": {"shape": list(shape)},
        "layers": [first, view, {"name": "flat", "type": "flatten"}, last],
        "loss": {"type": "spike_rate"},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.01}},
    }
    return accepted(document)


def accepted(document: dict[str, Any]) -> dict[str, Any]:
    """Returns the document without the options of its first layer that the rules refuse, and with a
    view that fits.
    """
    for _ in range(len(document["layers"][0])):
        errors = [each for each in check(document)[1] if each.severity == "error"]
        if not errors:
            return document
        first, view, *rest = copy.deepcopy(document["layers"])
        for each in errors:
            index, *path = each.pointer.split("/")[2:]
            if index != "0":
                view = {"name": "view", "type": "flatten"}
            elif path == ["neuron"]:
                first["neuron"] = COMPILED[0]
            elif path[0] == "neuron":
                first["neuron"].pop(path[1], None)
            else:
                first.pop(path[0], None)
        document = {**document, "layers": [first, view, *rest]}
    raise AssertionError([each.message for each in errors])
