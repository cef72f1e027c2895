"""The public names of ``netdesc``, which are imported when they are used."""

import ast
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from support.exchange_samples import dense
from support.exchange_samples import document as sample_document

import netdesc
from netdesc.api.compile import layer_reports
from netdesc.events import Event, from_dense, write_events
from netdesc.kernels.engines import use_engine

NEURON = {"threshold": 0.5, "current_decay": 0.5, "voltage_decay": 0.25}
DOCUMENT = sample_document(
    [5],
    [dense("only", 3, neuron=NEURON, weight_scale=3)],
    time={"steps": 30},
    training={"epochs": 3, "optimizer": {"type": "sgd", "learning_rate": 0.01}},
)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    write_events(tmp_path / "input.bs1", from_dense(random.random((30, 5)) < 0.4, 1.0))
    write_events(tmp_path / "target.bs1", from_dense(random.random((30, 3)) < 0.2, 1.0))
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


def test_every_name_exists_and_is_known_to_type_checkers() -> None:
    for name in netdesc.__all__:
        assert getattr(netdesc, name) is not None
    assert set(netdesc.__all__) <= set(dir(netdesc))
    source = Path(netdesc.__file__).read_text(encoding="utf-8")
    typed = {
        alias.name
        for block in ast.parse(source).body
        if isinstance(block, ast.If)  # TYPE_CHECKING
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(netdesc.__all__) - {"__version__"} | {"events"}


def test_compile_takes_overrides_of_a_document(document: Path, tmp_path: Path) -> None:
    changes = {"layers.0.units": 4, "data": None}
    assert netdesc.load(document, "training.seed=9").document.training.seed == 9
    for network in (document, str(document), DOCUMENT):
        assert netdesc.compile(network, changes).graph.output_shape == (4,)
    with pytest.raises(netdesc.DescriptionError, match="epoch"):
        netdesc.compile(document, {"training.epoch": 3})
    for network in (netdesc.load(document), tmp_path, netdesc.compile(document)):
        with pytest.raises((TypeError, netdesc.DescriptionError), match=r"document|directory"):
            netdesc.compile(network, changes)


def test_packages_are_attributes() -> None:
    code = (
        "import sys, netdesc\n"
        "assert 'events' in dir(netdesc) and 'netdesc.events' not in sys.modules\n"
        "assert netdesc.events.read_events and netdesc.graph.build_graph\n"
        "assert not hasattr(netdesc, '__wrapped__')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        netdesc.nonsense  # noqa: B018  (reading the attribute is what raises)


def test_checking_a_document_does_not_load_torch(document: Path) -> None:
    code = (
        "import sys, netdesc; netdesc.load(sys.argv[1], with_files=False)\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
        "netdesc.load(sys.argv[1]); assert not {'torch', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(document)], check=True)


@use_engine("reference")
def test_graded_events_are_trained_tested_and_run(document: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    columns = {"x": random.integers(0, 5, 60), "t": random.integers(0, 30, 60)}
    graded = Event(**columns, payload=random.normal(0, 2, 60))
    write_events(tmp_path / "in.npy", graded)
    pair = {"input": {"path": "in.npy"}, "target": {"path": "target.bs1"}}
    data = {"type": "spike_files", "train": [pair], "test": [pair, pair]}
    document.write_text(json.dumps({**DOCUMENT, "data": data}))
    quiet = {"progress": "quiet", "engine": "reference"}
    run = netdesc.train(document, run_dir=tmp_path / "run", **quiet)
    assert netdesc.evaluate(run, part="test").samples == 2
    result = netdesc.run(run, tmp_path / "in.npy")
    assert result.comparison is not None
    integer = netdesc.run(run, tmp_path / "in.npy", "integer")
    assert np.array_equal(result.spikes_TN, integer.spikes_TN)
    binary = netdesc.run(run, Event(**columns))
    assert not np.array_equal(result.spikes_TN, binary.spikes_TN)


def test_hdf5_is_read_by_content_and_written_as_net_files(document: Path, tmp_path: Path) -> None:
    compiled = netdesc.compile(document)
    with pytest.raises(ValueError, match=r"use a\.net"):
        netdesc.export_net(compiled.model, tmp_path / "a.hdf5")
    assert not (tmp_path / "a.hdf5").exists()
    netdesc.export_net(compiled.model, tmp_path / "a.net")
    hdf5 = (tmp_path / "a.net").rename(tmp_path / "a.hdf5")
    input_TBN = torch.ones(30, 1, 5)
    assert torch.equal(netdesc.compile(hdf5).model(input_TBN), compiled.model(input_TBN))
    (tmp_path / "a.nir").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"a\.nir"):
        netdesc.compile(tmp_path / "a.nir")


def test_weights_that_are_nan_give_a_warning(document: Path) -> None:
    model = netdesc.compile(document).model
    (weight,) = [each for name, each in model.named_parameters() if name.endswith("weight")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(torch.zeros(30, 1, 5))
    with torch.no_grad():
        weight[0, 0] = torch.nan
    with pytest.warns(UserWarning, match='a weight of layer "only" is NaN'):
        model(torch.zeros(30, 1, 5))


@pytest.mark.parametrize(("density", "path"), [(0.05, "events"), (0.9, "product")])
def test_layers_are_reported_for_the_data(density: float, path: str, document: Path) -> None:
    """A pass on silence would report events."""
    dense = np.random.default_rng(2).random((30, 5)) < density
    write_events(document.parent / "input.bs1", from_dense(dense, 1.0))
    random, description = torch.random.get_rng_state(), netdesc.load(document)
    reports = layer_reports(description, netdesc.compile(description))
    assert [report.path for report in reports] == [path]
    assert torch.equal(torch.random.get_rng_state(), random)


def test_layers_are_reported_without_data(document: Path) -> None:
    document.write_text(json.dumps({k: v for k, v in DOCUMENT.items() if k != "data"}))
    description = netdesc.load(document)
    (report,) = layer_reports(description, netdesc.compile(description))
    assert (report.path, report.spikes) == ("events", 0)


@pytest.mark.parametrize("rate", [0.01, 1e300])
def test_every_ending_leaves_a_report(rate: float, document: Path, tmp_path: Path) -> None:
    text = document.read_text().replace("0.01", str(rate))
    document.write_text(text)
    run = netdesc.train(netdesc.load(document), run_dir=tmp_path / "run", progress="quiet")
    assert run.status == ("done" if rate < 1 else "diverged")
    report = run.path / "report.html"
    assert run.status in report.read_text(encoding="utf-8").lower()
    written = report.stat().st_mtime_ns
    netdesc.train(resume=run.path, progress="quiet")
    assert report.stat().st_mtime_ns == written, "nothing was changed, so it stays"


def test_the_python_of_the_readme_defines_what_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    readme = (root / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(import netdesc\n.*?)```", readme, re.DOTALL)
    assert len(code.splitlines()) <= 15
    losses: list[float] = []
    for epochs in (1, 4):
        names: dict[str, object] = {}
        exec(code.replace("range(100)", f"range({epochs})"), names)
        loss = names["loss"]
        losses.append(loss.item())
    assert losses[1] < losses[0]
