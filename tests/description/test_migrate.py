"""Documents of older formats are read and rewritten through a chain of steps.

No format is older than the first. So two are made up here, 0 and -1, with their steps.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.cli_process import Netdesc
from support.description_samples import write_files

from netdesc.description import DescriptionError, check, load, lock_text, migrations
from netdesc.description.canonical_layout import formatted
from netdesc.description.json_pointer import lookup
from netdesc.description.source import Source

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
  "layers": [{"name": "output", "type": "dense", "units": 2, "neuron": "cuba"}],
  "loss": {"type": "spike_time", "time_constant_ms": 2.0},
  "training": {"epochs": 10, "optimizer": {"type": "adam", "learning_rate": 0.001}}
}
"""
OLD = NEW.replace('"format": 1', '"format": 0').replace('"steps": 100', '"count": 1e2')
OLD = OLD.replace('{"type": "adam", "learning_rate": 0.001}', '"adam", "rate": 0.001')
"""Steps are a float, and the optimizer is a word."""
OLDER = OLD.replace('"format": 0', '"format": -1').replace('"layers"', '"stack"')


def renamed(section: Any, **names: str) -> Any:
    if not isinstance(section, dict):
        return section
    return {names.get(key, key): value for key, value in section.items()}


def from_0(data: dict[str, Any]) -> dict[str, Any]:
    data = dict(data)
    if "time" in data:
        data["time"] = renamed(data["time"], count="steps")
        steps = lookup(data, ("time", "steps"))
        if isinstance(steps, float):
            data["time"]["steps"] = int(steps)
    training = data.get("training")
    if isinstance(training, dict) and isinstance(training.get("optimizer"), str):
        training = dict(training)
        optimizer = {"type": training["optimizer"]}
        if "rate" in training:
            optimizer["learning_rate"] = training.pop("rate")
        data["training"] = training | {"optimizer": optimizer}
    return data


def from_minus_1(data: dict[str, Any]) -> dict[str, Any]:
    return renamed(data, stack="layers")


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
    by_migration = {"/format", "/time/steps"}
    by_migration |= {f"/training/optimizer/{name}" for name in ("type", "learning_rate")}
    assert {at for at, origin in origins.items() if origin == "migration"} == by_migration
    assert origins["/layers/0/weight_scale"] == "--set"
    for at in origins.keys() - by_migration - {"/layers/0/weight_scale"}:
        assert origins[at] == new[at], at


@pytest.mark.parametrize(
    ("before", "after", "code", "at"),
    [
        ('"rate": 0.001', '"rate": -1', "ND106", "/training/optimizer/learning_rate"),
        ('"threshold"', '"treshold"', "ND101", "/neurons/cuba/treshold"),
        ('"count": 1e2, ', "", "ND102", "/time/steps"),
        ('"neuron": "cuba"', '"neuron": "lif"', "ND201", "/layers/0/neuron"),
        ('"input.bs1"', '"missing.bs1"', "ND301", "/data/train/0/input/path"),
    ],
)
def test_diagnostics_give_the_path_in_the_current_format(
    before: str, after: str, code: str, at: str, write: Any
) -> None:
    findings = check(write(OLDER.replace(before, after, 1)))[1]
    assert (code, at) in {(each.code, each.pointer) for each in findings}
    for each in findings:
        assert (each.line, each.fix) == (None, None)
        assert "netdesc migrate --write" in each.notes[-1]


def test_json_errors_have_their_line(write: Any) -> None:
    (found,) = check(write(OLD.replace('"units": 2,', '"units": 2,,')))[1]
    assert (found.code, found.line) == ("ND007", 13)


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


def test_json_errors_prevent_a_migration_and_others_do_not(
    netdesc: Netdesc, write: Any, tmp_path: Path
) -> None:
    write(OLD.replace('"threshold"', '"treshold"'))
    wanted = formatted(Source(NEW.replace('"threshold"', '"treshold"'), "test"))
    assert netdesc("migrate", "old.json").out == wanted
    write(OLD.replace('"units": 2', '"units": 2,'))
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
    assert netdesc("migrate", "old.json", "--write", "--check").code == 2
    assert netdesc("migrate", "old.json", "new.json").code == 2
