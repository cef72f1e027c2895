"""Uses a type of neuron as a user would, from the document to the report.

It is checked in a document, printed, trained on two engines, run in integers and reported.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.classify_task import CELLS, STEPS, write_classify_task
from support.neuron_definitions import DEFINITIONS, example_fields

import netdesc
from netdesc.cli.main import main
from netdesc.description.neuron_text import example_neuron
from netdesc.description.reference import reference_text
from netdesc.description.schema import schema_text
from netdesc.events import Event
from netdesc.kernels.engine import use_engine


def check_language(kind: str, document: Path) -> None:
    section = type(example_neuron(kind))
    assert kind in DEFINITIONS, "no test runs this neuron"
    assert f'"{kind}"' in schema_text()
    assert f'<a id="{section.__name__.lower()}"></a>' in reference_text()
    wrong = json.loads(document.read_text()) | {"neurons": {"own": {"type": kind, "treshold": 1}}}
    with pytest.raises(netdesc.DescriptionError, match='unknown field "treshold"'):
        netdesc.load(wrong)


def train(document: Path, engine: str) -> tuple[netdesc.Run, torch.Tensor, dict[str, torch.Tensor]]:
    """Trains for the document's epochs; returns the run, and spikes and gradients of one step."""
    run = netdesc.train(document, run_dir=Path(engine), engine=engine, progress="quiet")
    compiled = netdesc.compile(document)
    random = torch.Generator().manual_seed(1)
    input_TBN = (torch.rand(STEPS, 4, CELLS, generator=random) < 0.4).float()
    with use_engine(engine):
        output_TBN = compiled.model(input_TBN)
        compiled.loss(output_TBN, torch.arange(4) % 3).backward()
    gradients = {name: each.grad for name, each in compiled.model.named_parameters()}
    assert run.status == "done"
    assert output_TBN.any()
    assert all(each.isfinite().all() and each.any() for each in gradients.values())
    return run, output_TBN, gradients


def use(kind: str) -> None:
    neuron = example_neuron(kind)
    fields = example_fields(kind) | {"learn": [*neuron.learnable()], "tau_grad": 0.05}
    layer = {"type": "dense", "neuron": "own", "weight_scale": 3.0}
    layers = [{"name": "hidden", "units": 12, **layer}, {"name": "output", "units": 3, **layer}]
    document = write_classify_task(
        Path("task"), neurons={"own": fields}, layers=layers, training={"epochs": 1}
    )
    check_language(kind, document)
    expected, spikes_TBN, gradients = train(document, "reference")
    run, own_spikes_TBN, own_gradients = train(document, "cpu")
    assert torch.equal(own_spikes_TBN, spikes_TBN)
    assert {f"layers.hidden.neuron.{name}" for name in neuron.learnable()} <= gradients.keys()
    for name, each in gradients.items():
        assert (own_gradients[name] - each).abs().max() <= 1e-5 * each.abs().max(), name
    assert abs(run.metrics["loss"][0] / expected.metrics["loss"][0] - 1) < 1e-5
    times = np.arange(STEPS, dtype=np.float64)
    event = Event(x=times.astype(int) % CELLS, t=times)
    found_TN = netdesc.run(run, event, arithmetic="integer").spikes_TN
    assert found_TN.any()
    with use_engine("reference"):
        assert np.array_equal(found_TN, netdesc.run(run, event).spikes_TN)
    assert neuron.equations().step[0][0] in run.report_path.read_text()
    main(["explain", kind])
