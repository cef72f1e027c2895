"""Random documents whose layers have no synapses, up to the last one."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Layer = dict[str, Any]


@st.composite
def plain_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draws a document: views, pools and means of an image, a concat, and a readout."""
    channels = draw(st.integers(1, 3))
    rows, columns = draw(st.integers(4, 7)), draw(st.integers(4, 7))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    pool: Layer = {
        "kernel": list(kernel),
        "stride": draw(st.one_of(st.none(), st.integers(1, 3))),
        "padding": [draw(st.integers(0, size // 2)) for size in kernel],
    }
    axis = draw(st.integers(0, 2))
    cells = channels * rows * columns
    return {
        "format": 1,
        "name": "plain",
        "time": {"steps": draw(st.integers(6, 9)), "step_ms": 1},
        "input": {"shape": [cells * draw(st.integers(1, 3))]},
        "layers": [
            {"name": "later", "type": "delay", "steps": draw(st.integers(0, 5))},
            {"name": "group", "type": "population_average", "units": cells},
            {"name": "image", "type": "reshape", "shape": [channels, rows, columns]},
            {"name": "max", "type": "max_pool", "from": "image", **pool},
            {"name": "mean", "type": "average_pool", "from": "image", **pool},
            {"name": "both", "type": "concat", "axis": axis, "from": ["max", "mean"]},
            {"name": "more", "type": "concat", "axis": axis, "from": ["both", "mean"]},
            {"name": "slow", "type": "time_decimation", "factor": draw(st.integers(1, 4))},
            {"name": "flat", "type": "flatten"},
            {
                "name": "out",
                "type": "dense",
                "units": 2,
                "weight_scale": 4,
                "neuron": {"type": "integrator", "current_decay": 1, "voltage_decay": 0.5},
            },
        ],
        "loss": {"type": "spike_max", "mode": "softmax"},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.01}},
    }
