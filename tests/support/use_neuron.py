"""Uses a type of neuron as a user would, from the document to the report.

It is checked in a document, printed, computed on two engines, trained, run in integers and
reported.
"""

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
from netdesc.kernels.engines import use_engine


def check_language(kind: str, document: Path) -> None:
    section = type(example_neuron(kind))
    assert kind in DEFINITIONS, "no test runs this neuron"
    assert f'"{kind}"' in schema_text()
    assert f'<a id="{section.__name__.lower()}"></a>' in reference_text()
    wrong = json.loads(document.read_text()) | {"neurons": {"own": {"type": kind, "treshold": 1}}}
    with pytest.raises(netdesc.DescriptionError, match='unknown field "treshold"'):
        netdesc.load(wrong)


def one_step(document: Path, engine: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Returns spikes and gradients of the first step of training."""
    compiled = netdesc.compile(document)
    random = torch.Generator().manual_seed(1)
    input_TBN = (torch.rand(STEPS, 4, CELLS, generator=random) < 0.4).float()
    with use_engine(engine):
        output_TBN = compiled.model(input_TBN)
        compiled.loss(output_TBN, torch.arange(4) % 3).backward()
    gradients = {name: each.grad for name, each in compiled.model.named_parameters()}
    assert output_TBN.any()
    assert all(each.isfinite().all() and each.any() for each in gradients.values())
    return output_TBN, gradients


def use(kind: str) -> None:
    neuron = example_neuron(kind)
    fields = example_fields(kind) | {"learn": [*neuron.learnable()], "tau_grad": 0.05}
    layer = {"type": "dense", "neuron": "own", "weight_scale": 3.0}
    layers = [{"name": "hidden", "units": 12, **layer}, {"name": "output", "units": 3, **layer}]
    document = write_classify_task(
        Path("task"), neurons={"own": fields}, layers=layers, training={"epochs": 1}
    )
    check_language(kind, document)
    spikes_TBN, gradients = one_step(document, "reference")
    own_spikes_TBN, own_gradients = one_step(document, "cpu")
    assert torch.equal(own_spikes_TBN, spikes_TBN)
    assert {f"layers.hidden.neuron.{name}" for name in neuron.learnable()} <= gradients.keys()
    for name, each in gradients.items():
        assert (own_gradients[name] - each).abs().max() <= 1e-5 * each.abs().max(), name
    run = netdesc.train(document, run_dir=Path("run"), engine="reference", progress="quiet")
    assert run.status == "done"
    times = np.arange(STEPS, dtype=np.float64)
    event = Event(x=times.astype(int) % CELLS, t=times)
    found_TN = netdesc.run(run, event, arithmetic="integer").spikes_TN
    assert found_TN.any()
    with use_engine("reference"):
        assert np.array_equal(found_TN, netdesc.run(run, event).spikes_TN)
    assert neuron.equations().step[0][0] in run.report_path.read_text()
    main(["explain", kind])
