"""``netdesc show``: what a network is, of documents, runs and ``.net`` files."""

import fcntl
import json
import math
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from support.cli_process import Netdesc
from support.exchange_samples import dense
from support.exchange_samples import document as sample_document
from support.report_samples import weights, write_run, write_state

from netdesc.api.load import load
from netdesc.cli.show import time_constant_ms
from netdesc.description import lock_text
from netdesc.neurons.models.fields import DEFAULT_WIDTH
from netdesc.resources import shipped

OXFORD = shipped("examples/oxford.json")


@pytest.fixture
def show(netdesc: Netdesc) -> Netdesc:
    return partial(netdesc, "show")


def document(**sections: Any) -> dict[str, Any]:
    neuron = {"threshold": 0.5, "voltage_decay": 0.5}
    layers = [
        {"name": "flat", "type": "flatten"},
        dense("a", 8, neuron=neuron),
        dense("b", 4, neuron=neuron, **{"from": ["a", "flat"]}),
    ][: sections.pop("depth", 2)]
    loss = {"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.02}
    plain = {"time": {"steps": 40, "step_ms": 2.0}, "data": None, "loss": loss}
    return sample_document([2, 3], layers, **plain) | sections


def write(path: Path, content: dict[str, Any]) -> Path:
    path.write_text(json.dumps(content))
    return path


def row(text: str, name: str, number: int = 0) -> list[str]:
    """The cells of the row ``name`` in the table of that number."""
    return re.split(r"\s{2,}", re.findall(rf"^{name}\s.*$", text, re.MULTILINE)[number].strip())


def test_a_document_is_shown_with_shapes_decays_and_memory(show: Netdesc) -> None:
    outcome = show(OXFORD)
    assert (outcome.code, outcome.err) == (0, "")
    assert "1,900 steps of 1 ms, 102,400 parameters, 102,400 synapses" in outcome.out
    assert row(outcome.out, "hidden") == [
        "hidden", "dense", "input", "200", "256", "cuba", "51,200", "51,200",
    ]  # fmt: skip
    assert row(outcome.out, "hidden", 1) == ["hidden", "cuba", "0.5", "1 (0 ms)", "0.3 (2.8 ms)"]
    assert row(outcome.out, "hidden", 2) == ["hidden", "205 kB", "51.2 kB", "819 kB", "5.84 MB"]
    assert row(outcome.out, "all") == ["all", "102,400", "102,400"]
    own = show(shipped("examples/own_neuron.json"))
    assert row(own.out, "hidden", 1)[:4] == ["hidden", "mine", "0.5", "0.3 (2.8 ms)"]


RATES = {"type": "spike_rate"}
MOVING = {"type": "moving_window", "window_steps": 7}


@pytest.mark.parametrize(
    ("loss", "classifier", "winner"),
    [
        ({"type": "spike_time", "time_constant_ms": 2}, None, None),
        (RATES, None, "with the largest spike rate\n"),
        ({"type": "spike_max"}, MOVING, "largest spike rate"),
    ],
)
def test_it_is_said_which_class_wins(
    loss: Any, classifier: Any, winner: str | None, show: Netdesc, tmp_path: Path
) -> None:
    given = show(write(tmp_path / "a.json", document(loss=loss, classifier=classifier))).out
    assert (winner or "") in given
    assert ("8 classes" in given) == (winner is not None)


def test_ranges_learnt_decays_and_extremes_are_told(show: Netdesc, tmp_path: Path) -> None:
    changed = document()
    changed["layers"][1]["neuron"] |= {
        "threshold": 0.1,
        "per_channel": True,
        "current_decay": [0.0, 0.25],
        "learn": ["current_decay"],
    }
    assert row(show(write(tmp_path / "a.json", changed)).out, "a", 1)[2:] == [
        "0.1 (device: 0.09375)", "0 to 0.25 (no decay to 6.95 ms), learnt", "0.5 (2.89 ms)",
    ]  # fmt: skip


@given(st.floats(1e-6, 0.999), st.floats(0.1, 10))
def test_after_the_time_constant_a_share_of_1_over_e_is_left(share: float, step_ms: float) -> None:
    constant = time_constant_ms(share, step_ms)
    assert (1 - share) ** (constant / step_ms) == pytest.approx(1 / math.e, rel=1e-6)


@pytest.mark.parametrize(
    ("training", "states", "batch"),
    [
        ({"optimizer": {"type": "adam", "learning_rate": 1}}, 2, 5),
        ({"optimizer": {"type": "sgd", "learning_rate": 1}, "batch_size": 2}, 0, 2),
        ({"optimizer": {"type": "adamw", "learning_rate": 1}, "validation_split": 0.4}, 2, 3),
    ],
)
def test_memory_follows_batch_and_optimizer(
    training: dict[str, Any], states: int, batch: int, show: Netdesc, tmp_path: Path
) -> None:
    pair = {"input": {"path": "in.bs1"}, "label": 0}
    data = {"type": "spike_files", "train": [pair | {"label": n} for n in range(5)]}
    path = write(tmp_path / "a.json", document(data=data, training={"epochs": 1} | training))
    record = show(path, "--json").record
    assert record["batch"] == batch
    first, _, dense = (layer["memory"] for layer in record["layers"])
    assert first["activity"] == 4 * 6 * 40 * batch
    assert dense["training"] == 4 * 48 * (2 + states)
    assert dense["activity"] == 12 * 8 * 40 * batch


@pytest.mark.parametrize(
    ("split", "samples", "validates"),
    [
        (None, 7, False),
        ([0, 0, 1, 2, 0, 0, 0], 5, True),
        ([0, 0, 2, 2, 0, 0, 0], 5, False),
        ("missing", None, True),
    ],
)
def test_samples_are_counted_in_files_of_arrays(
    split: list[int] | str | None,
    samples: int | None,
    validates: bool,
    show: Netdesc,
    tmp_path: Path,
) -> None:
    arrays = {"inputs": np.zeros((7, 2, 3)), "labels": np.zeros(7, np.uint8)}
    if isinstance(split, list):
        arrays["parts"] = np.array(split, np.uint8)
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    data = {
        "type": "arrays",
        "path": "a.npz",
        "split": split and "parts",
        "encoding": {"type": "rate"},
    }
    record = show(write(tmp_path / "a.json", document(data=data)), "--json").record
    assert record["samples"] == samples
    assert any("no validation" in note for note in record["notes"]) == (not validates)


@pytest.mark.parametrize(("tau_grad", "is_shown"), [("0.1", False), ("null", True)])
def test_a_surrogate_by_default_is_shown(show: Netdesc, tau_grad: str, is_shown: bool) -> None:
    sets = ("neurons.cuba.threshold=0.5", f"neurons.cuba.tau_grad={tau_grad}")
    notes = show(OXFORD, "--json", *(each for text in sets for each in ("--set", text))).record
    assert any(f"width {DEFAULT_WIDTH / 2:g}" in note for note in notes["notes"]) == is_shown


@pytest.mark.parametrize("content", [b"PK nonsense", None])
def test_data_need_no_reading(content: bytes | None, show: Netdesc, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "a.npz").write_bytes(content)
    data = {"type": "arrays", "path": "a.npz", "encoding": {"type": "latency"}}
    record = show(write(tmp_path / "a.json", document(data=data)), "--json").record
    assert (record["samples"], record["batch"]) == (None, 32)


def test_a_run_is_shown_with_the_decays_that_it_learned(show: Netdesc, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    tensors = weights(1)
    tensors["layers.hidden.neuron.current_decay"][:] = np.linspace(0.5, 1, len(
        tensors["layers.hidden.neuron.current_decay"]
    ))  # fmt: skip
    best = run / "checkpoints" / "best.safetensors"
    save_file(tensors, best)
    assert row(show(run).out, "hidden", 1)[3:] == [
        "0.5 to 1 (1.44 ms to 0 ms), learnt", "0.4 (1.96 ms), learnt",
    ]  # fmt: skip
    best.write_bytes(b"damaged")
    outcome = show(run)
    assert "0.1 to 0.4" in outcome.out
    assert "warning: " in outcome.err
    best.unlink()
    assert "0.1 to 0.4" in show(run).out


def test_a_run_is_shown_as_it_was_and_how_it_stands(show: Netdesc, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    description = load(OXFORD, ["training.epochs=7", "layers.0.units=11"])
    (run / "network.lock.json").write_text(lock_text(description, run, {}))
    assert show(run).code == 0  # killed before it wrote a record
    message = "interrupted; the checkpoint after 3 epochs is safe"
    record = {
        "name": "oxford",
        "engine": "cpu",
        "device": {"type": "cpu"},
        "epochs_done": 3,
        "lock_sha256": "",
    }
    write(run / "run.json", record | {"status": "interrupted", "message": message})
    outcome = show(run)
    assert f"run: {message}" in outcome.out
    assert row(outcome.out, "hidden")[4] == "11"
    record = json.loads(show(run, "--json").out)
    assert (record["kind"], record["run"]["epochs_done"]) == ("run", 3)
    (run / "run.json").write_text("[")
    assert show(run).code == 0


@pytest.mark.parametrize(
    ("saved", "words"),
    [(3, "continues after 3 epochs"), (0, "continues from the start"), (None, "last checkpoint")],
)
def test_a_run_that_was_killed_is_said_to_be(
    show: Netdesc, tmp_path: Path, saved: int | None, words: str
) -> None:
    run = write_run(tmp_path / "a run", status="running")
    write_state(run, saved)
    outcome = show(run)
    assert f"run: killed: no process works on it; netdesc train --resume '{run}'" in outcome.out
    assert words in outcome.out
    record = json.loads(show(run, "--json").out)["run"]
    assert (record["status"], record["resumes_after"]) == ("killed", saved)
    with (run / ".lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "run: running" in show(run).out


def test_a_net_file_is_shown(show: Netdesc, tmp_path: Path) -> None:
    import netdesc

    path = write(tmp_path / "a.json", document())
    netdesc.export_net(netdesc.compile(netdesc.load(path)).model, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "a") as file:
        layer = file[f"layer/{len(file['layer']) - 1}"]
        layer["bias"], layer["neuron/tau"] = np.arange(8), 3
    outcome = show(tmp_path / "a.net")
    assert outcome.code == 0
    assert "neuron/tau" in outcome.err
    assert row(outcome.out, "dense2", 1)[-1] == "0 to 0.109375, learnt"
    imported = netdesc.import_net(tmp_path / "a.net").save(tmp_path / "in")
    assert row(show(imported).out, "dense2", 1)[-1] == "0 to 0.109375, learnt"
    assert row(outcome.out, "dense2", 1) == [
        "dense2", "cuba1", "0.5", "0.25 (6.95 ms)", "0.5 (2.89 ms)", "0 to 0.109375, learnt",
    ]  # fmt: skip
    notes = outcome.out.partition("inferred:")[2]
    assert "does not describe data" in notes
    assert "assumed" not in notes
    assert f"{document()['time']['steps']} steps of" in outcome.out
    (tmp_path / "b.hdf5").write_bytes((tmp_path / "a.net").read_bytes())
    assert row(show(tmp_path / "b.hdf5").out, "dense2", 1) == row(outcome.out, "dense2", 1)
    assert show(tmp_path / "b.hdf5", "--set", "time.steps=1").code == 2


def test_what_netx_makes_of_layers_is_shown(show: Netdesc, tmp_path: Path) -> None:
    """Of a ``.net`` file, and of that of a run, whose layers have other names."""
    import netdesc

    run = write_run(tmp_path / "run")
    description = netdesc.load(run / "network.lock.json", with_files=False)
    model = netdesc.compile(description.document.model_dump(mode="json")).model
    assert show(run, "--json").record["netx"] is None
    model.state_dict()["layers.output.synapse.weight"].zero_()
    netdesc.export_net(model, run / "network.net")
    for source, names in ((run, ["hidden", "output"]), (run / "network.net", ["dense0", "dense1"])):
        netx = show(source, "--json").record["netx"]
        assert netx["effects"] == dict(zip(names, ["loads", "fails"], strict=True))
        (warning,) = netx["warnings"]
        text = show(source).out
        assert warning in text
        assert re.search(rf"^{names[1]} .*fails$", text, re.MULTILINE)
    with h5py.File(run / "network.net", "a") as file:
        del file["layer/0/neuron"]
    assert show(run, "--json").record["netx"]["effects"] == {"hidden": "differs", "output": "fails"}
    (run / "network.net").write_bytes(b"no hdf5")
    broken = show(run)
    assert broken.code == 0
    assert "network.net" in broken.err


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda _: None, 3, "cannot read the file"),
        (lambda path: path.mkdir(), 3, "is no run"),
        (lambda path: path.write_text("{"), 1, "error[ND"),
        (lambda path: path.with_suffix(".net").write_text("no hdf5"), 1, "a.net"),
    ],
)
def test_what_cannot_be_shown_is_one_message(
    make: Callable[[Path], object], code: int, message: str, show: Netdesc, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    make(path)
    outcome = show(next(tmp_path.iterdir(), path))
    assert show(tmp_path, "--set", "layers.0.units=3").code == 2  # --set is for documents
    assert (outcome.code, outcome.out) == (code, "")
    assert message in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_nothing_is_cut_off_on_a_narrow_terminal(
    columns: int, show: Netdesc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", os.environ.get("TERM", "xterm"))
    out = re.sub(r"\x1b\[[0-9;]*m", "", show(OXFORD).out)
    assert "…" not in out
    for cell in ("51,200", "102,400", "0.3 (2.8 ms)", "5.84 MB"):
        assert cell in out
    tables = out[: out.index("training: gradients")].splitlines()[3:]
    assert max(map(len, tables)) <= max(columns, 30)
