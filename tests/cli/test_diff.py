"""``netdesc diff``: what means the same is equal, and every difference is named at its place."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.cli_process import Netdesc, netdesc_process, write_json
from support.report_samples import four_layers, write_run

from netdesc.description.models import Document

ROOT = Path(__file__).parents[2]
Differing = Callable[..., dict[str, tuple[Any, Any]]]


@pytest.fixture
def differing(netdesc: Netdesc) -> Differing:
    """What differs in a section of the object of ``--json``, by place."""

    def compare(a: str, b: str, section: str = "document") -> dict[str, tuple[Any, Any]]:
        ended = netdesc("diff", a, b, "--json")
        assert ended.code == (0 if ended.record["equal"] else 1)
        return {each["place"]: (each["a"], each["b"]) for each in ended.record[section]}

    return compare


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
    assert netdesc("diff", a, b, "--json").record == {
        "equal": True,
        "a": {"path": "a.json", "kind": "document"},
        "b": {"path": "b.json", "kind": "document"},
        "document": [],
        "results": [],
    }


def renamed(data: dict[str, Any]) -> None:
    data["neurons"]["other"] = data["neurons"].pop("plain")
    for layer in data["layers"]:
        if layer["neuron"] == "plain":
            layer["neuron"] = "other"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data["layers"][0].update(neuron=data["neurons"]["plain"]),
        renamed,
        lambda data: data["layers"][1].pop("from"),  # which is the layer before
        lambda data: data["layers"][2].update({"from": ["first"]}),
    ],
)
def test_another_way_to_write_the_same_network_is_no_difference(
    change: Callable[[dict[str, Any]], object], netdesc: Netdesc
) -> None:
    data = four_layers()
    change(data)
    assert data != four_layers()
    a, b = write_json("a.json", four_layers()), write_json("b.json", data)
    assert netdesc("diff", a, b).code == netdesc("diff", b, a).code == 0


def test_paths_are_compared_from_their_documents_folders(netdesc: Netdesc, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    write_json("a.json", four_layers())
    data = json.dumps(four_layers())
    write_json("there/b.json", re.sub(r'"(\w+\.bs1)"', r'"../\1"', data))
    assert netdesc("diff", "a.json", "there/b.json").code == 0
    write_json("there/b.json", data)
    assert netdesc("diff", "a.json", "there/b.json").code == 1


# What does not


@pytest.mark.parametrize(
    ("pointer", "value", "place"),
    [
        ("/layers/2/from", ["first", "second"], "layers.third.from"),
        ("/layers/2/quantization", None, "layers.third.quantization"),
        ("/data/train/0/target/rounding", "floor", "data.train.0.target.rounding"),
        ("/weights", {"path": "a.net"}, "weights"),
    ],
)
def test_a_value_has_both_sides(pointer: str, value: Any, place: str, differing: Differing) -> None:
    data = four_layers()
    *parts, last = (int(part) if part.isdigit() else part for part in pointer.split("/")[1:])
    holder: Any = data
    for part in parts:
        holder = holder[part]
    holder[last] = value
    found = differing(write_json("a.json", four_layers()), write_json("b.json", data))
    assert list(found) == [place]
    a, b = found[place]
    assert a != b
    assert differing("b.json", "a.json") == {place: (b, a)}


def test_layers_are_found_by_name(differing: Differing) -> None:
    data = four_layers()
    data["layers"].insert(2, data["layers"].pop(1))
    assert differing(write_json("a.json", four_layers()), write_json("b.json", data)) == {}
    data = four_layers()
    del data["layers"][2]
    data["layers"].insert(0, {"name": "new", "type": "flatten"})
    write_json("b.json", data)
    found = differing("a.json", "b.json")
    assert list(found) == ["layers.first.from", "layers.third", "layers.new"]
    assert found["layers.third"][1] is None
    assert found["layers.new"][0] is None


def test_the_text_has_a_line_for_a_difference_or_one_for_each_side(
    netdesc: Netdesc, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = four_layers(description="long " * 30)
    data["layers"][3]["units"] = 7
    write_json("a.json", four_layers(description="\x9b31m"))
    write_json("b.json", data)
    assert netdesc("diff", "a.json", "b.json").out.splitlines() == [
        "- a.json (document)",
        "+ b.json (document)",
        "  description:",
        r'-   "\x9b31m"',
        f'+   "{"long " * 30}"',
        "  layers.output.units: 6 → 7",
    ]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert '\x1b[32m+   "long' in netdesc("diff", "a.json", "b.json").out
    write_json("b.json", four_layers(description="x" * 5000))
    assert max(map(len, netdesc("diff", "a.json", "b.json").out.splitlines())) < 1100


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

    final = json.loads((runs[1] / "run.json").read_text())["final"]
    change_record(runs[1], final=final | {"loss": final["loss"] * 1.0000001}, status="interrupted")
    changed = {name for name, (a, b) in differing("a", "b", "results").items() if a != b}
    assert changed == {"status", "final_loss", "seconds"}
    change_record(runs[1], status="running")
    assert differing("a", "b", "results")["status"] == ("done", "killed")
    (runs[1] / "run.json").unlink()
    assert differing("a", "b", "results")["status"] == ("done", "unknown")


def test_losses_are_compared_per_sample(differing: Differing, runs: tuple[Path, Path]) -> None:
    change_record(runs[0], samples={"train": 5, "validation": 0})
    assert differing("a", "b", "results")["best_loss"] == (0.65, 3.25)


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
    assert not {"torch", "numba", "h5py"} & ended.loaded
