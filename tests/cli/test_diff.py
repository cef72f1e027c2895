"""``netdesc diff``: what means the same is equal, and every difference is named at its place."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cli_process import Netdesc, netdesc_process, write_json
from support.report_samples import four_layers, write_run

from netdesc.description.models import Document

ROOT = Path(__file__).parents[2]
CUBA = {"type": "cuba", "threshold": 0.5, "current_decay": 1.0, "voltage_decay": 0.3}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "input.bs1").write_bytes(b"\0\0\0\0\0")
    (tmp_path / "target.bs1").write_bytes(b"\0\1\0\0\0")
    return tmp_path


@pytest.fixture
def differing(netdesc: Netdesc) -> Callable[..., dict[str, tuple[Any, Any]]]:
    """What differs in a section, by place, and nothing else of the object of ``--json``."""

    def compare(a: str, b: str, section: str = "document") -> dict[str, tuple[Any, Any]]:
        ended = netdesc("diff", a, b, "--json")
        assert ended.code == (0 if ended.record["equal"] else 1)
        return {each["place"]: (each["a"], each["b"]) for each in ended.record[section]}

    return compare


Differing = Callable[..., dict[str, tuple[Any, Any]]]


# What means the same


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: shuffled(value[key], order) for key in keys}
    return [shuffled(each, order) for each in value] if isinstance(value, list) else value


def test_layout_order_of_keys_and_written_defaults_are_no_difference(netdesc: Netdesc) -> None:
    a = write_json("a.json", json.dumps(four_layers(), indent=7))
    whole = Document.model_validate_json(json.dumps(four_layers())).model_dump(mode="json")
    whole["$schema"] = "elsewhere.json"
    b = write_json("b.json", shuffled(whole, random.Random(3)))
    ended = netdesc("diff", a, b)
    assert (ended.code, ended.out, ended.err) == (0, "", "a.json and b.json mean the same\n")
    assert netdesc("diff", a, b, "--quiet").err == ""
    record = netdesc("diff", a, b, "--json").record
    assert record.pop("equal") is True
    assert record.pop("a") == {"path": "a.json", "kind": "document", "status": None}
    del record["b"]
    assert set(map(tuple, record.values())) == {()}


def inline(data: dict[str, Any]) -> None:
    data["layers"][0]["neuron"] = data["neurons"]["plain"]


def renamed(data: dict[str, Any]) -> None:
    data["neurons"]["other"] = data["neurons"].pop("plain")
    for layer in data["layers"]:
        if layer["neuron"] == "plain":
            layer["neuron"] = "other"


def all_inline(data: dict[str, Any]) -> None:
    neurons = data.pop("neurons")
    for layer in data["layers"]:
        layer["neuron"] = neurons[layer["neuron"]]


def implied(data: dict[str, Any]) -> None:
    assert data["layers"][1].pop("from") == data["layers"][0]["name"]


def turned(data: dict[str, Any]) -> None:
    data["neurons"]["learning"]["learn"].reverse()


def listed(data: dict[str, Any]) -> None:
    data["layers"][2]["from"] = ["first"]


@pytest.mark.parametrize("change", [inline, renamed, all_inline, implied, turned, listed])
def test_another_way_to_write_the_same_network_is_no_difference(
    change: Callable[[dict[str, Any]], None], netdesc: Netdesc
) -> None:
    data = four_layers()
    change(data)
    assert data != four_layers()
    a, b = write_json("a.json", four_layers()), write_json("b.json", data)
    assert netdesc("diff", a, b).code == 0
    assert netdesc("diff", b, a).code == 0


# What does not


@pytest.mark.parametrize(
    ("pointer", "value", "place"),
    [
        ("/neurons/learning/current_decay", [0.1, 0.5], "neurons.learning.current_decay"),
        ("/neurons/learning/learn", [], "neurons.learning.learn"),
        ("/layers/2/from", "input", "layers.third.from"),
        ("/layers/2/from", ["first", "second"], "layers.third.from"),
        ("/layers/2/quantization", None, "layers.third.quantization"),
        ("/training/early_stopping", {"patience_epochs": 3}, "training.early_stopping"),
        ("/data/train/0/target/rounding", "floor", "data.train.0.target.rounding"),
        ("/weights", {"path": "a.net"}, "weights"),
        ("/data", None, "data"),
    ],
)
def test_a_value_is_named_with_both_sides(
    pointer: str, value: Any, place: str, differing: Differing
) -> None:
    data = four_layers()
    *parts, last = (int(part) if part.isdigit() else part for part in pointer.split("/")[1:])
    holder: Any = data
    for part in parts:
        holder = holder[part]
    holder[last] = value
    found = differing(write_json("a.json", four_layers()), write_json("b.json", data))
    assert list(found) == [place]
    a, b = found[place]
    assert a["pointer"] == b["pointer"] == pointer
    shown = ["second", "first"] if value == ["second", "first"] else value
    whole = isinstance(value, dict)
    assert b["value"].items() >= value.items() if whole else b["value"] == shown
    assert b["origin"].split(", ")[0] == "file"
    assert differing("b.json", "a.json") == {place: (b, a)}


def test_a_neuron_is_compared_where_it_stands(differing: Differing) -> None:
    data = four_layers()
    data["layers"][0]["neuron"] = data["neurons"]["plain"] | {"threshold": 0.25}
    found = differing(write_json("a.json", four_layers()), write_json("b.json", data))
    assert list(found) == ["layers.first.neuron.threshold"]
    a, b = found["layers.first.neuron.threshold"]
    assert (a["pointer"], b["pointer"]) == (
        "/neurons/plain/threshold",
        "/layers/0/neuron/threshold",
    )
    data["neurons"]["unused"] = CUBA
    both = ["neurons.unused", "layers.first.neuron.threshold"]
    assert list(differing("a.json", write_json("b.json", data))) == both


def test_another_type_is_not_followed_by_its_defaults(differing: Differing) -> None:
    data = four_layers()
    data["training"]["schedule"] = {"type": "cosine", "warmup_epochs": 2}
    found = differing(write_json("a.json", four_layers()), write_json("b.json", data))
    assert list(found) == ["training.schedule.type", "training.schedule.warmup_epochs"]
    assert found["training.schedule.type"][0]["origin"] == "default"
    assert found["training.schedule.warmup_epochs"][0] is None


def test_a_further_sample_is_one_difference(differing: Differing) -> None:
    data = four_layers()
    data["data"]["train"].append({"input": {"path": "more.bs1"}, "target": {"path": "t.bs1"}})
    a, b = write_json("a.json", four_layers()), write_json("b.json", data)
    assert list(differing(a, b)) == ["data.train.1"]
    assert differing(a, b, "files") == {}


def test_the_command_line_of_a_run_is_told_by_its_lock(
    differing: Differing, tmp_path: Path
) -> None:
    write_run(tmp_path / "run")
    run = json.loads((tmp_path / "run/network.json").read_text())
    lock = json.loads((tmp_path / "run/network.lock.json").read_text())
    lock["lock"]["origins"]["/training/epochs"] = "--set"
    lock["training"]["epochs"] = 31
    write_json("a.lock.json", lock)
    (found,) = differing(write_json("a.json", run), "a.lock.json").values()
    assert [each["origin"] for each in found] == ["file", "--set"]


# Layers


def test_layers_are_found_by_name(differing: Differing) -> None:
    data = four_layers()
    data["layers"].insert(2, data["layers"].pop(1))
    assert differing(write_json("a.json", four_layers()), write_json("b.json", data)) == {}
    ((before, after),) = differing("a.json", "b.json", "network").values()
    assert before == ["first", "second", "third", "output"]
    assert after == ["first", "third", "second", "output"]

    data = four_layers()
    del data["layers"][2]
    data["layers"].insert(0, {"name": "new", "type": "flatten"})
    write_json("b.json", data)
    layers = differing("a.json", "b.json", "layers")
    assert {name: [side is None for side in sides] for name, sides in layers.items()} == {
        "third": [False, True],
        "new": [True, False],
    }
    # The neuron of the removed layer stands in both documents; what the first layer reads changed.
    assert list(differing("a.json", "b.json")) == ["layers.first.from"]


def test_shapes_and_parameters_are_told_where_they_change(differing: Differing) -> None:
    data = four_layers()
    data["layers"][0]["units"] = 10
    layers = differing(write_json("a.json", four_layers()), write_json("b.json", data), "layers")
    assert list(layers) == [
        "first.output_shape", "first.parameters", "second.input_shape", "second.parameters",
        "third.input_shape", "third.parameters",
    ]  # fmt: skip
    assert layers["first.output_shape"] == ([8], [10])
    a, b = differing("a.json", "b.json", "network")["parameters"]
    assert b - a == 2 * (12 + 8 + 6)


# Files


def test_files_are_compared_by_their_contents(
    netdesc: Netdesc, differing: Differing, files: Path
) -> None:
    shutil.copytree(files, files / "there")
    write_json("a.json", four_layers())
    write_json("there/b.json", four_layers())
    assert netdesc("diff", "a.json", "there/b.json").code == 0
    (files / "there/input.bs1").write_bytes(b"\0\2\0\0\0")
    found = differing("a.json", "there/b.json", "files")
    assert list(found) == ["data.train.0.input"]
    a, b = found["data.train.0.input"]
    assert a["path"] == b["path"] == "input.bs1"
    assert a["sha256"] != b["sha256"]
    assert a["pointer"] == "/data/train/0/input/path"
    assert "input.bs1" in netdesc("diff", "a.json", "there/b.json").out


def test_another_path_to_the_same_is_no_difference(
    netdesc: Netdesc, differing: Differing, files: Path
) -> None:
    data = four_layers()
    data["data"]["train"][0]["input"] = {"path": "copy.bs1", "sha256": None}
    write_json("a.json", four_layers())
    write_json("b.json", data)
    ((_, copied),) = differing("a.json", "b.json", "files").values()
    assert copied["sha256"] is None  # it is not there
    (files / "input.bs1").rename(files / "hidden.bs1")
    assert netdesc("diff", "a.json", "b.json").code == 1  # nobody knows
    (files / "hidden.bs1").rename(files / "input.bs1")
    shutil.copy(files / "input.bs1", files / "copy.bs1")
    assert netdesc("diff", "a.json", "b.json").code == 0
    (files / "copy.bs1").unlink()
    (files / "copy.bs1").symlink_to("input.bs1")
    assert netdesc("diff", "a.json", "b.json").code == 0


def test_what_a_lock_notes_of_a_file_counts(
    netdesc: Netdesc, differing: Differing, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "run")
    document = json.loads((run / "network.json").read_text())
    lock = json.loads((run / "network.lock.json").read_text())
    places = {file["path"]: Path(file["absolute"]) for file in lock["lock"]["files"]}
    for pair in document["data"]["train"]:
        for file in pair.values():
            file["path"] = str(places[file["path"]])
    write_json("a.json", document)
    assert netdesc("diff", "a.json", "run").code == 0
    (changed,) = [path for path in places.values() if "input" in path.name]
    changed.write_bytes(changed.read_bytes() + b"\0\0\0\0\1")
    ((_, noted),) = differing("a.json", "run", "files").values()
    for pair in document["data"]["train"]:
        pair["input"]["sha256"] = noted["sha256"]
    write_json("a.json", document)
    assert netdesc("diff", "a.json", "run").code == 0


def test_other_data_are_another_type_and_other_files(differing: Differing) -> None:
    both = ROOT / "examples/oxford.json", ROOT / "examples/digits.json"
    assert {"data.type", "data.train", "data.encoding", "loss.type"} <= set(differing(*both))
    assert list(differing(*both, "files")) == ["data"]


# Runs


def change_record(run: Path, **fields: Any) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | fields))


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    figures = {"epoch": 29, "loss": 3.25, "accuracy": 0.5}
    a, b = (write_run(tmp_path / name, best=figures, final=figures) for name in "ab")
    return a, b


def test_runs_differ_in_results_and_not_in_seconds(
    netdesc: Netdesc, differing: Differing, runs: tuple[Path, Path]
) -> None:
    change_record(runs[0], seconds=1.0)
    change_record(runs[1], seconds=2.0)
    results = differing("a", "b", "results")
    assert results["seconds"] == (1.0, 2.0)
    assert results["best_loss"] == (3.25, 3.25)
    assert results["best_epoch"] == (30, 30)
    text = netdesc("diff", "a", "b")
    assert text.code == 0
    assert re.search(r"^seconds +1 +2$", text.out, re.MULTILINE)
    assert text.out.startswith("result")

    final = json.loads((runs[1] / "run.json").read_text())["final"]
    change_record(runs[1], final=final | {"loss": final["loss"] * 1.0000001}, status="interrupted")
    changed = {name for name, (a, b) in differing("a", "b", "results").items() if a != b}
    assert changed == {"status", "final_loss", "seconds", "seconds_an_epoch"}
    ended = netdesc("diff", "a", "b", "--json")
    assert (ended.code, ended.record["b"]["status"]) == (1, "interrupted")
    change_record(runs[1], status="running")
    assert netdesc("diff", "a", "b", "--json").record["b"]["status"] == "killed"


def test_a_run_without_a_record_is_not_equal_to_one_that_has_it(
    netdesc: Netdesc, differing: Differing, runs: tuple[Path, Path]
) -> None:
    (runs[1] / "run.json").unlink()
    assert differing("a", "b", "results")["status"] == ("done", "unknown")
    assert netdesc("diff", "a", "b", "--json").record["b"]["status"] == "unknown"


def test_losses_are_compared_per_sample(differing: Differing, runs: tuple[Path, Path]) -> None:
    change_record(runs[0], samples={"train": 5, "validation": 0})
    assert differing("a", "b", "results")["best_loss"] == (0.65, 3.25)


def test_versions_differ(netdesc: Netdesc, differing: Differing, runs: tuple[Path, Path]) -> None:
    versions = json.loads((runs[0] / "run.json").read_text())["versions"]
    change_record(runs[1], versions=versions | {"torch": "9.9"})
    assert differing("a", "b", "versions") == {"torch": (versions["torch"], "9.9")}
    assert "torch: " in netdesc("diff", "a", "b").out
    # The locks note what they were made with, which is equal.
    assert netdesc("diff", "a/network.lock.json", "b/network.lock.json").code == 0


@pytest.mark.parametrize(
    ("second", "code", "said"),
    [
        ("nowhere.json", 3, "ND001"),
        ("empty", 3, "empty is no run: there is no network.lock.json"),
        ("faulty.json", 1, "ND101"),
        ("damaged", 1, "run.json"),
        ("a.net", 1, "ND003"),
    ],
)
def test_what_cannot_be_compared_is_named(
    second: str, code: int, said: str, netdesc: Netdesc, tmp_path: Path
) -> None:
    write_json("a.json", four_layers())
    write_json("faulty.json", four_layers(nonsense=1))
    (tmp_path / "a.net").write_bytes(b"\x89HDF\r\n\x1a\n")
    (tmp_path / "empty").mkdir()
    (write_run(tmp_path / "damaged") / "run.json").write_text("{")
    for arguments in (["a.json", second], [second, "a.json"]):
        ended = netdesc("diff", *arguments)
        assert (ended.code, ended.out) == (code, "")
        assert said in ended.err
        assert "equal" not in netdesc("diff", *arguments, "--json").record


def test_comparing_needs_no_torch(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    ended = netdesc_process("diff", tmp_path / "run", ROOT / "examples/oxford.json")
    assert ended.code == 1
    assert not {"torch", "numba", "h5py", "plotly"} & ended.loaded
