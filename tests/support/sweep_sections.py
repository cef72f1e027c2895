"""Sections ``sweep`` for the labelled document of ``description_samples``, sound and unsound."""

from typing import Any

from hypothesis import strategies as st

RATE = "training.optimizer.learning_rate"
UNITS = "layers.hidden.units"

_NUMBERS = st.floats(-10, 100) | st.integers(-2, 50)
_FIELDS = [RATE, UNITS, "layers.0.units", "neurons.cuba", "neurons.cuba.voltage_decay", "data.path"]
_OTHERS = ["training.epochs", "/layers/hidden/units", "training.seed", "name", "a=1", ".", "nix"]
_PATHS = st.sampled_from(_FIELDS + _OTHERS)
_VALUES = st.none() | st.booleans() | _NUMBERS | st.text(max_size=3) | st.just({"type": "lif"})
_STEPS = st.integers(2, 5)
_ENTRIES = st.one_of(
    st.fixed_dictionaries({"range": st.tuples(_NUMBERS, _NUMBERS)}, optional={"steps": _STEPS}),
    st.fixed_dictionaries({"log": st.tuples(_NUMBERS, _NUMBERS)}, optional={"steps": _STEPS}),
    st.fixed_dictionaries({"choices": st.lists(_VALUES, min_size=1, max_size=3)}),
)
_METRICS = st.sampled_from(["accuracy", "loss", "validation_loss", "parameters", "Accuracy", ""])
_OBJECTIVES = st.dictionaries(st.sampled_from(["maximize", "minimize"]), _METRICS, max_size=2)
_METHODS = st.sampled_from([None, "tpe", "nsga2", "qmc", "random", "grid"])


def _ranges(draw: Any, low: float, high: float, is_integer: bool) -> dict[str, Any]:
    numbers = st.integers(int(low), int(high)) if is_integer else st.floats(low, high)
    ends = sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))
    return {draw(st.sampled_from(["range", "log"])): ends, "steps": draw(_STEPS)}


@st.composite
def sound_sections(draw: Any) -> dict[str, Any]:
    """Sections without errors, by the limits of the fields that vary."""
    over = {
        RATE: _ranges(draw, 1e-6, 1.0, False),
        UNITS: _ranges(draw, 1, 64, True),
        "neurons.cuba.voltage_decay": {"choices": [0.1, 0.5, 1]},
    }
    paths = draw(st.sets(st.sampled_from([*over]), min_size=1))
    names = draw(st.lists(st.sampled_from("abc"), unique=True))
    settings = {"training.epochs": draw(st.integers(1, 9)), "neurons.cuba.threshold": 2}
    return {
        "method": (method := draw(_METHODS)),
        "trials": draw(st.integers(1, 9)) if method != "grid" else None,
        "seed": draw(st.integers(0, 9)),
        "over": {path: over[path] for path in paths},
        "variants": [{"name": name, "set": settings} for name in names],
    }


UNSOUND_SECTIONS = st.fixed_dictionaries(
    {},
    optional={
        "trials": st.integers(0, 5) | st.none(),
        "method": _METHODS,
        "seeds": st.integers(1, 2),
        "objectives": st.lists(_OBJECTIVES, max_size=2),
        "prune": st.none() | st.just({"type": "median"}),
        "over": st.dictionaries(_PATHS, _ENTRIES, max_size=3),
        "variants": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["a", "b", ""])},
                optional={
                    "set": st.dictionaries(_PATHS, _VALUES, max_size=2),
                    "over": st.dictionaries(_PATHS, _ENTRIES, max_size=2),
                },
            ),
            max_size=2,
        ),
    },
)
"""Sections of which most have errors."""
