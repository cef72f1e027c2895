"""The section ``sweep``: what it means, and the errors that are found before the first trial."""

import itertools
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.description_samples import LABELLED, write_files
from support.sweep_sections import RATE, UNITS, UNSOUND_SECTIONS, sound_sections

from netdesc.api.load import check, load, load_without_data
from netdesc.description import lock_text, render_text
from netdesc.description.codes import ENTRIES
from netdesc.description.sweep_space import sweep_space

OVER = {RATE: {"log": [0.001, 0.1]}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    write_files(folder)
    return folder


def _write(folder, sweep, **changes):
    path = folder / "network.json"
    path.write_text(json.dumps(json.loads(LABELLED) | changes | {"sweep": sweep}, indent=1))
    return path


def _space(folder, **sweep):
    return sweep_space(load(_write(folder, {"trials": 9} | sweep)))


SPIKE_TIME = {"type": "spike_time", "time_constant_ms": 2}
LIF = {"type": "lif", "threshold": 1, "voltage_decay": 0.1}
OF_CUBA = {"over": {"neurons.cuba.current_decay": {"range": [0.1, 1]}}}
TWO_FORMS = {"variants": [{"name": "a"}, {"name": "b", "set": {"neurons.cuba": LIF}}]}
ONE = {"range": [1, 5]}
TWO = [{"maximize": "accuracy"}, {"minimize": "loss"}]
DATA = json.loads(LABELLED)["data"]

WRONG = [
    # paths
    ("ND291", "over/layers.hiden.units", {"over": {"layers.hiden.units": {"choices": [1]}}}),
    ("ND291", "over/training.epochs=3", {"over": {"training.epochs=3": {"choices": [1]}}}),
    ("ND291", "over/name", {"over": {"name": {"choices": ["a", "b"]}}}),
    ("ND291", "over/sweep.trials", {"over": {"sweep.trials": {"choices": [1]}}}),
    ("ND291", "over/training.seed", {"seeds": 2, "over": {"training.seed": {"range": [0, 5]}}}),
    ("ND291", f"over/{UNITS}", {"over": {UNITS: ONE, "layers.0.units": ONE}}),
    ("ND291", f"variants/0/set/{RATE}", {"variants": [{"name": "a", "set": {RATE: 0.01}}]}),
    ("ND291", "over/neurons.cuba.current_decay", OF_CUBA | TWO_FORMS),
    # ranges
    ("ND292", f"over/{UNITS}", {"over": {UNITS: {}}}),
    ("ND292", f"over/{UNITS}", {"over": {UNITS: {"range": [1, 2], "log": [1, 2]}}}),
    ("ND292", f"over/{UNITS}/range", {"over": {UNITS: {"range": [2, 2]}}}),
    ("ND292", f"over/{RATE}/log", {"over": {RATE: {"log": [0.1, 0.001]}}}),
    ("ND292", f"over/{RATE}/log/0", {"over": {RATE: {"log": [0, 0.1]}}}),
    ("ND292", f"over/{UNITS}/choices/2", {"over": {UNITS: {"choices": [4, 8, 4]}}}),
    ("ND292", f"over/{UNITS}/steps", {"over": {UNITS: {"choices": [4], "steps": 2}}}),
    ("ND292", f"over/{UNITS}/range", {"method": "grid", "over": {UNITS: {"range": [1, 2]}}}),
    ("ND292", "over/neurons.cuba.type", {"over": {"neurons.cuba.type": {"range": [0, 1]}}}),
    # values
    ("ND106", f"over/{UNITS}/range/0", {"over": {UNITS: {"range": [0, 8]}}}),
    ("ND103", f"over/{UNITS}/range/1", {"over": {UNITS: {"range": [1, 8.5]}}}),
    ("ND103", f"over/{UNITS}/choices/1", {"over": {UNITS: {"choices": [4, "x", 8]}}}),
    ("ND228", "over/loss/choices/0", {"over": {"loss": {"choices": [SPIKE_TIME]}}}),
    ("ND301", "over/data.path/choices/0", {"over": {"data.path": {"choices": ["nix.npz"]}}}),
    ("ND316", "over/layers.1.units/range/0", {"over": {"layers.1.units": {"range": [1, 2]}}}),
    ("ND289", "over/training.shards/range", {"over": {"training.shards": {"range": [1, 8]}}}),
    (
        "ND106",
        "variants/1/over/layers.hidden.units/range/0",
        {"variants": [{"name": "a"}, {"name": "b", "over": {UNITS: {"range": [0, 8]}}}]},
    ),
    # the rest
    ("ND293", "trials", {"trials": None}),
    ("ND293", "trials", {"method": "grid", "over": {UNITS: {"range": [1, 20], "steps": 20}}}),
    ("ND293", "over", {"over": {}}),
    ("ND293", "variants/1/name", {"variants": [{"name": "a"}, {"name": "a"}]}),
    ("ND293", "prune", {"prune": {"type": "hyperband"}, "objectives": TWO}),
    ("ND293", "prune", {"prune": {"type": "median"}, "objectives": [{"minimize": "seconds"}]}),
    ("ND294", "objectives/0", {"objectives": [{}]}),
    ("ND294", "objectives/0/maximize", {"objectives": [{"maximize": "acuracy"}]}),
    ("ND294", "objectives/1/minimize", {"objectives": [{"maximize": "loss"}, TWO[1]]}),
    ("ND294", "objectives", {"objectives": [{"maximize": "validation_accuracy"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "place", "sweep"), WRONG)
def test_an_error_is_shown_at_its_entry_before_the_first_trial(code, place, sweep, folder):
    path = _write(folder, {"trials": 9, "over": OVER} | sweep)
    description, found = check(path)
    assert description is None
    assert [(each.code, each.pointer) for each in found] == [(code, f"/sweep/{place}")]
    last = place.split("/")[-1]
    expected = last if not last.isdigit() and f'"{last}"' in path.read_text() else ""
    assert expected in found[0].excerpt
    assert load_without_data(path).document.sweep is not None  # training ignores it
    if code in ("ND228", "ND301", "ND316") or place == "objectives":
        assert check(path, with_files=False)[0] is not None or code == "ND228"


def test_an_objective_that_a_variant_does_not_have(folder):
    settings = {"data.targets": "targets", "loss": {"type": "mean_squared_error"}}
    sweep = {"trials": 9, "over": OVER, "variants": [{"name": "a", "set": settings}]}
    (found,) = check(_write(folder, sweep | {"objectives": [{"maximize": "accuracy"}]}))[1]
    assert (found.code, found.pointer) == ("ND294", "/sweep/objectives")
    assert check(_write(folder, sweep | {"objectives": [{"minimize": "loss"}]}))[0] is not None


def test_the_text_names_the_value_and_says_what_is_wrong_with_it(folder, netdesc):
    path = _write(folder, {"trials": 9, "over": {UNITS: {"range": [0, 8]}}})
    ended = netdesc("validate", path)
    assert ended.code == 1
    line = next(at for at, text in enumerate(path.read_text().splitlines(), 1) if text == "     0,")
    assert f"network.json:{line}:6: error[ND106]" in ended.out
    assert f"{UNITS} = 0" in ended.out


def test_values_of_the_command_line(folder):
    path = _write(folder, {"trials": 9, "over": OVER})
    assert sweep_space(load(path, ["sweep.trials=5"])).trials == 5
    (found,) = check(path, [f'/sweep/over/{RATE}={{"range": [0, 1]}}'])[1]
    assert (found.code, found.line) == ("ND106", None)
    assert found.override.endswith('{"range": [0, 1]}')


def test_a_grid(folder):
    over = {
        UNITS: {"range": [1.0, 4], "steps": 4},
        RATE: {"log": [0.001, 0.1], "steps": 3},
        "training.epochs": {"choices": [5]},
    }
    variants = [{"name": "a"}, {"name": "b", "over": {UNITS: {"choices": [7, 6]}}}]
    space = _space(folder, trials=None, method="grid", over=over, variants=variants)
    points = [(variant.name, *values.values()) for variant, values in space.grid()]
    rates = [0.001, pytest.approx(0.01), 0.1]
    own = [("a", units, rate, 5) for units, rate in itertools.product([1, 2, 3, 4], rates)]
    assert points == own + [("b", *point, 5) for point in itertools.product([7, 6], rates)]
    assert space.trials == space.grid_size() == 18
    assert all(type(values[UNITS]) is int for _, values in space.grid())
    assert type(space.variants[0].parameters[1].low) is float


def test_what_follows_if_it_is_not_written(folder):
    space = _space(folder, over=OVER)
    assert (space.method, space.objectives) == ("tpe", (("accuracy", True),))
    stated = [{"minimize": "spikes_per_sample"}, {"maximize": "accuracy"}]
    space = _space(folder, over=OVER, objectives=stated)
    assert space.method == "nsga2"
    assert space.objectives == (("spikes_per_sample", False), ("accuracy", True))
    for changes in (
        {"training": {"epochs": 3, "validation_split": 0.2}},
        {"data": DATA | {"split": "split"}},
    ):
        description = load(_write(folder, {"trials": 9, "over": OVER}, **changes))
        assert sweep_space(description).objectives == (("validation_accuracy", True),)


def test_the_overrides_of_a_trial(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    variants = [{"name": "a", "set": {"data.path": "samples.npz", "training.seed": 4}}]
    space = _space(folder, over=OVER, variants=variants)
    overrides = space.overrides(space.variants[0], {RATE: 0.05}, seed_number=2)
    assert overrides == {"data.path": str(folder / "samples.npz"), RATE: 0.05, "training.seed": 6}
    document = load(folder / "network.json", overrides).document
    assert (document.training.seed, document.training.optimizer.learning_rate) == (6, 0.05)
    swept = _space(folder, over={"/training/seed": {"choices": [8]}})
    assert swept.overrides(swept.variants[0], {"/training/seed": 8})["training.seed"] == 8


def test_a_lock_has_no_sweep(folder, tmp_path):
    description = load(_write(folder, {"trials": 9, "over": OVER}))
    lock = json.loads(lock_text(description, tmp_path, {}))
    assert "sweep" not in lock
    assert not any(at.startswith("/sweep") for at in lock["lock"]["origins"])


@settings(max_examples=15)
@given(sound_sections(), st.randoms(use_true_random=False))
def test_what_passes_can_be_trained(tmp_path_factory, sweep, chance):
    folder = tmp_path_factory.getbasetemp()
    write_files(folder)
    path = _write(folder, sweep)
    space = sweep_space(load(path, with_files=False))
    for variant in space.variants:
        values = {each.path: _value(each, chance) for each in variant.parameters}
        document = load(path, space.overrides(variant, values), with_files=False).document
        assert document.layers[0].units == values.get(UNITS, 8)
        assert document.training.optimizer.learning_rate == values.get(RATE, 0.001)


def _value(parameter, chance: random.Random):
    if parameter.choices is not None:
        return chance.choice(parameter.choices)
    value, grid = parameter.at(chance.random()), [*parameter.grid()]
    assert parameter.low <= value <= parameter.high
    assert (grid[0], grid[-1]) == (parameter.low, parameter.high)
    assert sorted(set(grid)) == grid
    return value


@given(UNSOUND_SECTIONS)
def test_any_section_is_read_or_refused(tmp_path_factory, sweep):
    folder = tmp_path_factory.getbasetemp()
    write_files(folder)
    path = _write(folder, sweep)
    description, found = check(path, with_files=False)
    assert (description is None) == any(each.is_error for each in found)
    assert all(each.code in ENTRIES and each.line for each in found)
    render_text(found)
    if description is not None:
        space = sweep_space(description)
        for variant in space.variants:
            first = {each.path: each.options[0][0] for each in variant.parameters}
            assert load(path, space.overrides(variant, first), with_files=False)
