"""Documents of older formats are read and rewritten through a chain of steps.

No format is older than the first. So two are made up here, 0 and -1, with their steps.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import Netdesc
from support.description_samples import write_files

from netdesc.description import DescriptionError, check, load, lock_text, migrations
from netdesc.description.canonical_layout import formatted
from netdesc.description.json_pointer import lookup, member
from netdesc.description.migrations import changed_paths, migrate_data
from netdesc.description.source import Source

OLD = """\
{
  "format": 0,
  "name": "base",
  "time": {"count": 1e2, "step_ms": 1.0},
  "data": {
    "type": "spike_files",
    "train": [{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}]
  },
  "input": {"shape": [4]},
  "neurons": [
    {"name": "cuba", "type": "cuba", "threshold": 1.25, "current_decay": 1, "voltage_decay": 0.1}
  ],
  "layers": [
    {"name": "output", "type": "dense", "size": 2, "neuron": "cuba"}
  ],
  "loss": {"type": "spike_time", "time_constant_ms": 2.0},
  "training": {"epochs": 10, "optimizer": "adam", "rate": 0.001}
}
"""
"""Steps are a float, neurons a list, the optimizer a word, and spikes were never delayed."""

NEW = """\
{
  "format": 1,
  "name": "base",
  "time": {"steps": 100, "step_ms": 1.0},
  "data": {
    "type": "spike_files",
    "train": [{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}]
  },
  "input": {"shape": [4]},
  "neurons": {
    "cuba": {"type": "cuba", "threshold": 1.25, "current_decay": 1, "voltage_decay": 0.1}
  },
  "layers": [
    {"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "axonal_delay_step": false}
  ],
  "loss": {"type": "spike_time", "time_constant_ms": 2.0},
  "training": {"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001}}
}
"""


def renamed(section: Any, **names: str) -> Any:
    if not isinstance(section, dict):
        return section
    return {names.get(key, key): value for key, value in section.items()}


def from_0(data: dict[str, Any]) -> dict[str, Any]:
    data = dict(data)
    if isinstance(data.get("time"), dict):
        data["time"] = renamed(data["time"], count="steps")
        steps = data["time"].get("steps")
        if isinstance(steps, float) and steps.is_integer():
            data["time"]["steps"] = int(steps)
    neurons = data.get("neurons")
    if isinstance(neurons, list) and all(isinstance(member(n, "name"), str) for n in neurons):
        data["neurons"] = {
            each["name"]: {key: value for key, value in each.items() if key != "name"}
            for each in neurons
        }
    if isinstance(data.get("layers"), list):
        data["layers"] = [
            renamed(layer, size="units")
            | ({"axonal_delay_step": False} if layer.get("type") == "dense" else {})
            if isinstance(layer, dict)
            else layer
            for layer in data["layers"]
        ]
    training = data.get("training")
    if isinstance(training, dict) and isinstance(training.get("optimizer"), str):
        training = dict(training)
        optimizer = {"type": training["optimizer"]}
        if "rate" in training:
            optimizer["learning_rate"] = training.pop("rate")
        data["training"] = training | {"optimizer": optimizer}
    return data


def from_minus_1(data: dict[str, Any]) -> dict[str, Any]:
    return renamed(data, stack="layers", title="name")


OLDER = OLD.replace('"format": 0', '"format": -1').replace('"layers"', '"stack"')
OLDER = OLDER.replace('"name": "base"', '"title": "base"')


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(migrations.STEPS, 0, from_0)  # type: ignore[arg-type]
    monkeypatch.setitem(migrations.STEPS, -1, from_minus_1)  # type: ignore[arg-type]


@pytest.fixture
def write(tmp_path: Path):
    write_files(tmp_path)

    def put(text: str, name: str = "old.json") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return put


@pytest.mark.parametrize("text", [OLD, OLDER])
def test_an_older_document_means_what_the_new_one_does(text: str, write: Any) -> None:
    assert load(write(text)).document == load(write(NEW)).document


def test_origins_name_what_a_step_set_or_moved(write: Any) -> None:
    origins = load(write(OLD), ["layers.output.weight_scale=2"]).origins
    new = load(write(NEW)).origins
    neuron = "/neurons/cuba/"
    by_migration = {
        "/format", "/time/steps", "/layers/0/axonal_delay_step", "/layers/0/units",
        "/training/optimizer/type", "/training/optimizer/learning_rate", f"{neuron}type",
        f"{neuron}threshold", f"{neuron}current_decay", f"{neuron}voltage_decay",
    }  # fmt: skip
    assert {at for at, origin in origins.items() if origin == "migration"} == by_migration
    assert origins["/layers/0/weight_scale"] == "--set"
    for at in origins.keys() - by_migration - {"/layers/0/weight_scale"}:
        assert origins[at] == new[at], at


@pytest.mark.parametrize(
    ("before", "after", "code", "at"),
    [
        ('"size": 2', '"size": "2"', "ND103", "/layers/0/units"),
        ('"rate": 0.001', '"rate": -1', "ND106", "/training/optimizer/learning_rate"),
        ('"threshold"', '"treshold"', "ND101", "/neurons/cuba/treshold"),
        ('"count": 1e2, ', "", "ND102", "/time/steps"),
        ('"neuron": "cuba"', '"neuron": "lif"', "ND201", "/layers/0/neuron"),
        ('"input.bs1"', '"missing.bs1"', "ND301", "/data/train/0/input/path"),
    ],
)
@pytest.mark.parametrize("text", [OLD, OLDER])
def test_diagnostics_give_the_path_in_the_current_format(
    text: str, before: str, after: str, code: str, at: str, write: Any
) -> None:
    assert before in text
    findings = check(write(text.replace(before, after, 1)))[1]
    assert (code, at) in {(each.code, each.pointer) for each in findings}
    for each in findings:
        assert (each.line, each.fix) == (None, None)
        assert "netdesc migrate --write" in each.notes[-1]


def test_json_errors_have_their_line(write: Any) -> None:
    (found,) = check(write(OLD.replace('"size": 2,', '"size": 2,,')))[1]
    assert (found.code, found.line) == ("ND007", 14)


def test_a_lock_of_an_older_document_has_the_current_format(write: Any, tmp_path: Path) -> None:
    old, new = load(write(OLD)), load(write(NEW, "new.json"))
    lock = json.loads(lock_text(old, tmp_path, {"netdesc": "0"}))
    plain = json.loads(lock_text(new, tmp_path, {"netdesc": "0"}))
    assert lock["lock"].pop("origins")["/time/steps"] == "migration"
    plain["lock"].pop("origins")
    assert lock == plain


def test_a_lock_of_an_older_format_keeps_its_origins(write: Any) -> None:
    old = json.loads(OLD)
    origins = {"/time/count": "--set", "/time/step_ms": "default", "/gone": "--set"}
    old["lock"] = {"origins": origins, "files": [], "seed": 0, "versions": {}}
    found = load(write(json.dumps(old))).origins
    assert found["/time/steps"] == "migration"
    assert found["/time/step_ms"] == "default"
    assert found["/name"] == "file"
    assert "/gone" not in found


@pytest.mark.parametrize("format", ["2", "-2", "-3", "0.0", "false", '"0"', "NaN"])
def test_other_formats_are_refused(format: str, write: Any) -> None:
    with pytest.raises(DescriptionError) as caught:
        load(write(OLD.replace('"format": 0', f'"format": {format}')))
    assert any(each.pointer == "/format" or each.code == "ND010"
               for each in caught.value.diagnostics)  # fmt: skip


def test_a_missing_step_refuses_the_migration(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(migrations.STEPS, 0)  # type: ignore[arg-type]
    for text, number in [(OLD, 0), (OLDER, -1)]:
        (found,) = check(write(text))[1]
        assert found.message == f"there is no format {number}; this netdesc reads 1"


# What a step may do to any document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(0, 9) | st.sampled_from("abc"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "name", "steps", "count"]), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ["time", "neurons", "layers", "training", "a", "stack", "name", "title", "lock"]
DOCUMENTS = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=6)


@given(DOCUMENTS, st.sampled_from([0, -1]))
def test_steps_run_in_order_and_do_not_change_their_input(
    data: dict[str, Any], number: int
) -> None:
    def careless(given: dict[str, Any]) -> dict[str, Any]:
        given["a"] = 1
        return from_0(given)

    data = {"format": number, **data}
    before = copy.deepcopy(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(migrations.STEPS, 0, careless)  # type: ignore[arg-type]
        found = migrate_data(data)
    assert data == before
    wanted = from_minus_1(data) if number == -1 else data
    assert found == from_0(wanted | {"a": 1}) | {"format": 1}
    for parts in changed_paths(data, found):
        assert json.dumps(lookup(data, parts)) != json.dumps(lookup(found, parts)) or (
            lookup(found, parts) is None
        )


# The command


def test_the_new_text_is_printed_in_the_canonical_layout(netdesc: Netdesc, write: Any) -> None:
    assert formatted(Source(NEW, "test")) == NEW
    for text in (OLD, OLDER):
        write(text)
        ended = netdesc("migrate", "old.json")
        assert (ended.code, ended.out, ended.err) == (0, NEW, "")


def test_check_names_older_documents_and_write_migrates_them_once(
    netdesc: Netdesc, write: Any, tmp_path: Path
) -> None:
    write(OLD), write(NEW, "new.json")
    lock = write(json.dumps(json.loads(OLD) | {"lock": {}}), "a.lock.json").read_text()
    files = ("old.json", "new.json", "a.lock.json")
    for option in ("--check", "--diff"):
        ended = netdesc("migrate", *files, option)
        assert ended.code == 1
        assert (tmp_path / "old.json").read_text() == OLD
    assert '-  "format": 0,' in ended.out
    assert netdesc("migrate", *files, "--check").out == "old.json\n"
    written = netdesc("migrate", *files, "--write")
    assert written.code == 0
    assert "wrote old.json" in written.err
    assert (tmp_path / "old.json").read_text() == NEW
    assert (tmp_path / "new.json").read_text() == NEW
    assert (tmp_path / "a.lock.json").read_text() == lock
    assert netdesc("migrate", *files, "--check").code == 0


def test_a_document_of_the_current_format_is_not_changed(netdesc: Netdesc, write: Any) -> None:
    text = json.dumps(json.loads(NEW)) + "\n"
    write(text)
    assert netdesc("migrate", "old.json").out == text


def test_json_errors_prevent_a_migration_and_others_do_not(
    netdesc: Netdesc, write: Any, tmp_path: Path
) -> None:
    write(OLD.replace('"threshold"', '"treshold"'))
    wanted = formatted(Source(NEW.replace('"threshold"', '"treshold"'), "test"))
    assert netdesc("migrate", "old.json").out == wanted
    write(OLD.replace('"size": 2', '"size": 2,'))
    for options in ([], ["--write"], ["--check"]):
        ended = netdesc("migrate", "old.json", *options)
        assert (ended.code, ended.out) == (1, "")
        assert "error[ND007]" in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", 'error[ND102]: "format" is missing'),
        ("[]", "error[ND103]: the document must be an object"),
        ('{"format": 2}', "written for format 2; this netdesc reads 1"),
        ('{"format": -9}', "there is no format -9; this netdesc reads 1"),
        ('{"format": "0"}', "error[ND103]: format must be an integer"),
    ],
)
def test_a_document_of_unknown_format_is_refused(
    text: str, said: str, netdesc: Netdesc, write: Any
) -> None:
    write(text)
    ended = netdesc("migrate", "old.json", "--write")
    assert ended.code == 1
    assert said in ended.err
    assert netdesc("migrate", "nowhere.json").code == 3


@pytest.mark.parametrize(
    "arguments",
    [["old.json", "--write", "--check"], ["old.json", "new.json"], ["-", "--write"], ["-", "a"]],
)
def test_invalid_arguments_are_refused(arguments: list[str], netdesc: Netdesc) -> None:
    assert netdesc("migrate", *arguments).code == 2
