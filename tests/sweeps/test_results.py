"""Fronts and proposed values."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sweep_samples import sweep_of

from netdesc.description.sweep_space import Parameter
from netdesc.sweeps.results import pareto_front
from netdesc.sweeps.study import open_sweep


def beats(a: tuple[float, ...], b: tuple[float, ...], maximize: tuple[bool, ...]) -> bool:
    pairs = [(y, x) if best else (x, y) for x, y, best in zip(a, b, maximize, strict=True)]
    return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)


@given(st.data(), st.integers(2, 4))
def test_no_result_beats_one_of_the_front(data: st.DataObject, objectives: int) -> None:
    numbers, flags = st.sampled_from([-1.5, 0.0, 1.0, 2.0]), st.booleans()
    maximize = data.draw(st.tuples(*[flags] * objectives))
    rows = data.draw(st.lists(st.tuples(*[numbers] * objectives), max_size=12))
    front = pareto_front(rows, maximize)
    expected = [i for i, row in enumerate(rows) if not any(beats(x, row, maximize) for x in rows)]
    assert sorted(front) == expected
    best = [row[0] for row in rows]
    assert not rows or best[front[0]] == (max(best) if maximize[0] else min(best))


def test_nsga_finds_a_known_front(tmp_path: Path) -> None:
    """Of x² and (x − 2)² (Schaffer 1985), whose front is x in [0, 2]; x = 200 · the rate."""
    goals, rate = (
        [{"minimize": "loss"}, {"minimize": "seconds"}],
        "training.optimizer.learning_rate",
    )
    description = sweep_of(
        tmp_path, trials=120, over={rate: {"range": [1e-6, 0.05]}}, objectives=goals
    )
    with open_sweep(description, tmp_path / "S") as study:
        while (trial := study.next_trial()) is not None:
            x = 200 * trial.values[rate]
            study.tell(trial, [[x**2, (x - 2) ** 2]])
        table = study.table()
    on_front = {row.number for row in table.trials if 200 * row.values[rate] <= 2}
    beyond = [200 * row.values[rate] for row in table.trials if row.number not in on_front]
    assert on_front <= set(table.front)
    assert len(set(table.front) - on_front) <= 1
    assert len(on_front) > 120 * 2 / 10  # more than by chance
    assert beyond


@given(
    st.integers(1, 9),
    st.integers(0, 9),
    st.booleans(),
    st.booleans(),
    st.floats(0, 1, exclude_max=True),
)
def test_values_are_within_their_range(
    low: float, width: float, log: bool, is_integer: bool, share: float
) -> None:
    low, width = (low, width) if is_integer else (float(low), float(width))
    parameter = Parameter("x", low, low + width, log, is_integer, None, None, ())
    value = parameter.at(share, 0.5)
    assert low <= value <= low + width
    assert isinstance(value, int) == is_integer or width == 0


def test_all_integers_and_choices_are_equally_likely() -> None:
    shares = [index / 1000 for index in range(1000)]
    ranged = Parameter("x", 1, 4, False, True, None, None, ())
    chosen = Parameter("x", 0, 0, False, False, (1, None, [2], "a"), None, ())
    for parameter in (ranged, chosen):
        values = [str(parameter.at(share, 0.5)) for share in shares]
        assert [values.count(value) for value in dict.fromkeys(values)] == pytest.approx(
            [250] * 4, abs=1
        )
