"""Documents of older formats are read, and written anew, through a chain of steps.

No format is older than the first. So two are made up here, 0 and -1, with their steps.
"""

from __future__ import annotations

import copy
import importlib
import json
from pathlib import Path
from typing import Any

import pytest
from cli_process import Netdesc
from description_samples import as_json, write_files
from hypothesis import example, given
from hypothesis import strategies as st

from netdesc.description import DescriptionError, check, load, lock_text, migrations
from netdesc.description.diagnostic import Diagnostic, Edit, Fix
from netdesc.description.formatting import formatted
from netdesc.description.json.reader import parse
from netdesc.description.migrations import Step, migrated
from netdesc.description.plain import member, pointer
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
    {"name": "cuba", "type": "cuba", "threshold": 1.50, "current_decay": 1, "voltage_decay": 0.1}
  ],
  "layers": [
    {"name": "output", "type": "dense", "size": 2, "neuron": "cuba"}
  ],
  "loss": {"type": "spike_time", "time_constant_ms": 2.0},
  "training": {"epochs": 10, "optimizer": "adam", "rate": 1e-3}
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
    "cuba": {"type": "cuba", "threshold": 1.50, "current_decay": 1, "voltage_decay": 0.1}
  },
  "layers": [
    {"name": "output", "type": "dense", "units": 2, "neuron": "cuba", "axonal_delay_step": false}
  ],
  "loss": {"type": "spike_time", "time_constant_ms": 2.0},
  "training": {"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 1e-3}}
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


FROM_0 = Step(
    from_0,
    {
        "/time/steps": "/time/count",
        "/layers/*/units": "/layers/*/size",
        "/training/optimizer/type": "/training/optimizer",
        "/training/optimizer/learning_rate": "/training/rate",
    },
)
FROM_MINUS_1 = Step(
    lambda data: renamed(data, stack="layers", title="name"),
    {"/layers": "/stack", "/name": "/title"},
)

OLDER = OLD.replace('"format": 0', '"format": -1').replace('"layers"', '"stack"')
OLDER = OLDER.replace('"name": "base"', '"title": "base"')


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(migrations.STEPS, 0, FROM_0)  # type: ignore[arg-type]
    monkeypatch.setitem(migrations.STEPS, -1, FROM_MINUS_1)  # type: ignore[arg-type]


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


@pytest.mark.parametrize("text", [OLD, OLDER])
def test_origins_follow_what_moved_and_name_what_a_step_set(text: str, write: Any) -> None:
    origins = load(write(text), ["layers.output.weight_scale=2"]).origins
    new = load(write(NEW)).origins
    by_migration = {"/format", "/time/steps", "/layers/0/axonal_delay_step"}
    assert {at for at, origin in origins.items() if origin == "migration"} == by_migration
    assert origins["/layers/0/weight_scale"] == "--set"
    for at in origins.keys() - by_migration - {"/layers/0/weight_scale"}:
        assert origins[at] == new[at], at


@pytest.mark.parametrize(
    ("before", "after", "code", "marked", "at"),
    [
        ('"size": 2', '"size": "2"', "ND103", '"2"', "/layers/0/units"),
        ('"rate": 1e-3', '"rate": -1', "ND106", "-1", "/training/optimizer/learning_rate"),
        ('"threshold": 1.50', '"threshold": 0', "ND106", "0", "/neurons/cuba/threshold"),
        ('"threshold"', '"treshold"', "ND101", '"treshold"', "/neurons/cuba/treshold"),
        ('"count": 1e2', '"count": 0', "ND106", "0", "/time/steps"),
        ('"count": 1e2, ', "", "ND102", '"time"', "/time/steps"),
        ('"neuron": "cuba"', '"neuron": "lif"', "ND201", '"lif"', "/layers/0/neuron"),
        ('"optimizer": "adam"', '"optimizer": "adm"', "ND104", '"adm"', "/training/optimizer/type"),
        ('"input.bs1"', '"missing.bs1"', "ND301", '"missing.bs1"', "/data/train/0/input/path"),
        ('"size": 2,', '"size": 2,,', "ND007", ",", ""),
    ],
)
@pytest.mark.parametrize("text", [OLD, OLDER])
def test_findings_name_the_place_in_the_older_text(
    text: str, before: str, after: str, code: str, marked: str, at: str, write: Any
) -> None:
    assert before in text
    path = write(text.replace(before, after, 1))
    lines = path.read_text().splitlines()
    found = [
        (each.code, each.pointer, lines[each.line - 1][each.column - 1 : each.end_column - 1])
        for each in check(path)[1]
        if each.is_error and each.line and each.column and each.end_column
    ]
    assert (code, at, marked) in found


def test_a_finding_about_what_a_step_made_stands_at_what_encloses_it(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(data: dict[str, Any]) -> dict[str, Any]:
        return from_0(data) | {"classifier": {"type": "rate", "extra": 1}}

    monkeypatch.setitem(migrations.STEPS, 0, Step(wrong, FROM_0.moves))  # type: ignore[arg-type]
    (found,) = [each for each in check(write(OLD))[1] if each.pointer == "/classifier/extra"]
    assert (found.line, found.column) == (1, 1)


@pytest.mark.parametrize(("text", "is_offered"), [(OLD, False), (NEW, True)])
def test_a_fix_for_the_new_text_is_not_offered_for_the_old_one(
    text: str, is_offered: bool, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fixable(*_: object) -> list[Diagnostic]:
        return [Diagnostic("ND201", "error", "", "", fix=Fix("mend it", (Edit(0, 1, "x"),)))]

    # By its module, for the package has a function of that name.
    monkeypatch.setattr(importlib.import_module("netdesc.description.load"), "check_rules", fixable)
    (found,) = check(write(text))[1]
    assert (found.fix is not None) == is_offered


def test_a_lock_of_an_older_document_is_one_of_the_present(write: Any, tmp_path: Path) -> None:
    old, new = load(write(OLD)), load(write(NEW, "new.json"))
    lock = json.loads(lock_text(old, tmp_path, {"netdesc": "0"}))
    plain = json.loads(lock_text(new, tmp_path, {"netdesc": "0"}))
    assert lock["lock"].pop("origins")["/time/steps"] == "migration"
    plain["lock"].pop("origins")
    assert lock == plain


def test_a_lock_of_an_older_format_keeps_its_origins(write: Any) -> None:
    old = json.loads(OLD)
    origins = {"/time/count": "--set", "/neurons/0/threshold": "default", "/gone": "--set"}
    old["lock"] = {"origins": origins, "files": [], "seed": 0, "versions": {}}
    found = load(write(json.dumps(old))).origins
    # The step made the steps from what --set gave, and knows no better than to say so.
    assert found["/time/steps"] == "migration"
    assert found["/neurons/cuba/threshold"] == "default"
    assert found["/layers/0/axonal_delay_step"] == "migration"
    assert found["/layers/0/units"] == "file"
    assert "/gone" not in found


def test_a_run_of_an_older_document_locks_the_origins(write: Any, tmp_path: Path) -> None:
    first = load(write(OLD))
    (tmp_path / "a.lock.json").write_text(lock_text(first, tmp_path, {}))
    again = load(tmp_path / "a.lock.json")
    assert again.document == first.document
    assert again.origins == first.origins


@pytest.mark.parametrize("format", ["2", "-2", "-3", "0.0", "false", '"0"', "NaN"])
def test_other_formats_are_refused(format: str, write: Any) -> None:
    with pytest.raises(DescriptionError) as caught:
        load(write(OLD.replace('"format": 0', f'"format": {format}')))
    assert any(each.pointer == "/format" or each.code == "ND010"
               for each in caught.value.diagnostics)  # fmt: skip


def test_a_format_that_was_guessed_leads_nowhere() -> None:
    root = parse(Source('{"format": 0, "name": "a"}', "test")).root
    assert root is not None
    assert migrations.is_older(root)
    guessed = {root.children["format"].start}
    assert not migrations.is_older(root, guessed)
    assert migrated(root, guessed).root is root


def test_a_step_that_changes_what_it_is_given_does_no_harm() -> None:
    def careless(data: dict[str, Any]) -> dict[str, Any]:
        data["time"]["steps"] = 3
        return data

    root = parse(Source('{"format": 0, "time": {"steps": 2}}', "test")).root
    assert root is not None
    assert migrated(root, (), {0: Step(careless)}).made == {("format",), ("time", "steps")}
    assert root.value == {"format": 0, "time": {"steps": 2}}


def test_a_gap_in_the_chain_is_no_way(write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_every_value_knows_its_place_or_is_made(data: dict[str, Any], number: int) -> None:
    data = {"format": number, **data}
    text = json.dumps(data)
    root = parse(Source(text, "test")).root
    assert root is not None
    before = copy.deepcopy(root.value)
    steps = {0: FROM_0, -1: FROM_MINUS_1}
    found = migrated(root, (), steps)
    assert root.value == before
    wanted = data
    for step in [steps[each] for each in range(number, 1)]:
        wanted = step.change(copy.deepcopy(wanted))
    assert as_json(found.root.value) == wanted | {"format": 1}
    for parts, leaf in leaves(found.root.value):
        node = found.root.find(parts)
        if parts in found.made:
            continue
        assert node is not None, pointer(parts)
        assert json.loads(text[node.start : node.end]) == leaf


@given(st.dictionaries(st.sampled_from(["a", "b", "input"]), JSON))
@example({"a": [{"a": None, "name": "c"}, {"b": None, "name": "c"}]})
def test_what_no_step_touches_is_the_users(data: dict[str, Any]) -> None:
    root = parse(Source(json.dumps({"format": -1, **data}), "test")).root
    assert root is not None
    assert migrated(root, (), {0: FROM_0, -1: FROM_MINUS_1}).made == {("format",)}


def leaves(value: Any, parts: tuple[str | int, ...] = ()):
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    if not value or not isinstance(value, dict | list):
        yield parts, value
    for key, each in inner:
        yield from leaves(each, (*parts, key))


# The command


def test_the_new_text_is_printed_in_the_canonical_layout(netdesc: Netdesc, write: Any) -> None:
    assert formatted(Source(NEW, "test")) == NEW
    for text in (OLD, OLDER):
        write(text)
        ended = netdesc("migrate", "old.json")
        assert (ended.code, ended.out, ended.err) == (0, NEW, "")


def test_checking_names_the_older_and_writing_is_done_once(
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


def test_a_document_of_the_present_is_not_even_laid_out(netdesc: Netdesc, write: Any) -> None:
    text = json.dumps(json.loads(NEW)) + "\n"
    write(text)
    assert netdesc("migrate", "old.json").out == text


def test_faults_of_meaning_do_not_hinder_and_those_of_text_do(
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
def test_what_has_no_known_format_is_refused(
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
def test_what_cannot_be_meant_is_refused(arguments: list[str], netdesc: Netdesc) -> None:
    assert netdesc("migrate", *arguments).code == 2


def test_an_older_document_is_shown_and_checked_like_any(netdesc: Netdesc, write: Any) -> None:
    write(OLD), write(NEW, "new.json")
    assert netdesc("validate", "old.json").code == 0
    shown = [netdesc("show", name, "--json").record for name in ("old.json", "new.json")]
    assert shown[0] == shown[1]
