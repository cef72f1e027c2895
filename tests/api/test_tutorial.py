"""The steps of slayer's tutorial by the public interface alone; the examples of its docstrings."""

import doctest
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.scaled_examples import copy_examples

import netdesc
from netdesc.events import Event, read_events, to_dense, write_events
from netdesc.losses import SpikeTimeLoss
from netdesc.modules import Network

STEPS, NEURONS, EPOCHS = 1900, 200, 10


@pytest.fixture
def names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_animations: None
) -> dict[str, Any]:
    """What the examples use, in a folder with the project's examples and data."""
    copy_examples(tmp_path)
    monkeypatch.chdir(tmp_path)
    compiled = netdesc.compile("examples/oxford.json")
    netdesc.export_net(compiled.model, "oxford.net")
    return {
        "netdesc": netdesc,
        "torch": torch,
        "Path": Path,
        "Event": Event,
        "compiled": compiled,
        "input_TBN": torch.zeros(1900, 1, 200),
    }


@pytest.mark.usefixtures("names")
def test_the_tutorial() -> None:
    # Read the input and the target, and look at them.
    input_event = read_events("data/oxford/input.bs1")
    target_event = read_events("data/oxford/target.bs1")
    assert len(target_event) == 10_458
    assert target_event.show()._repr_png_().startswith(b"\x89PNG")
    assert "image/gif" in input_event.animate(frames=5)._repr_html_()

    # As tensors: [steps, neurons], then an axis for the sample.
    input_TN = input_event.to_tensor((NEURONS,), STEPS)
    target_TN = target_event.to_tensor((NEURONS,), STEPS, rounding="floor")
    input_TBN, target_TBN = input_TN.unsqueeze(1), target_TN.unsqueeze(1)

    # Describe the network.
    neuron = {
        "type": "cuba",
        "threshold": 0.1,
        "current_decay": 1.0,
        "voltage_decay": 0.1,
        "tau_grad": 1.0,
        "scale_grad": 1.0,
    }
    layer = {"type": "dense", "neuron": "cuba", "weight_scale": 1}
    document: dict[str, Any] = {
        "format": 1,
        "name": "oxford",
        "time": {"steps": STEPS},
        "input": {"shape": [NEURONS]},
        "neurons": {"cuba": neuron},
        "layers": [
            {"name": "hidden", "units": 256, **layer},
            {"name": "output", "units": NEURONS, **layer},
        ],
        "loss": {"type": "spike_time", "time_constant_ms": 2, "filter_order": 2},
        "training": {
            "epochs": EPOCHS,
            "optimizer": {"type": "adam", "learning_rate": 0.001, "weight_decay": 1e-5},
        },
    }
    compiled = netdesc.compile(document)
    assert compiled.graph.parameters == 200 * 256 + 256 * 200

    # Train, watch the loss, and draw it.
    losses: list[float] = []

    def watch(metrics: dict[str, Any]) -> bool:
        losses.append(metrics["loss"])
        return metrics["loss"] < 1000

    data = {"train": (input_TN[None], target_TN[None])}
    run = netdesc.train(document, data=data, callbacks=[watch], progress="quiet")
    assert run.metrics["epoch"].tolist() == list(range(1, EPOCHS + 1))
    assert run.metrics["loss"].tolist() == losses
    assert run.best["loss"] == min(losses) < losses[0]
    assert run.metrics["gradient_norms.hidden"].min() > 0
    assert run.report_path.exists()

    # Load the best weights, and record what the layers do.
    trained = netdesc.compile(run)
    with torch.no_grad(), trained.model.record(["hidden"]) as recording:
        output_TBN = trained.model(input_TBN)
    hidden = recording["hidden"]
    assert hidden.spikes.shape == hidden.voltages.shape == (STEPS, 1, 256)
    assert trained.loss(output_TBN, target_TBN).item() == pytest.approx(min(losses))

    # Draw the filtered traces, which the loss compares.
    output_trace, target_trace = (trained.loss.filter(each) for each in (output_TBN, target_TBN))
    difference = (output_trace - target_trace).double()
    assert difference.square().sum().item() == pytest.approx(min(losses), rel=1e-4)

    # Export the network, and run it as the device does.
    netdesc.export_net(trained.model, "oxford.net")
    spikes_TN = output_TBN[:, 0].numpy() != 0
    assert np.array_equal(netdesc.run_integer("oxford.net", input_TN.numpy()), spikes_TN)
    imported = netdesc.import_net("oxford.net", steps=STEPS)
    assert np.array_equal(netdesc.run(imported, input_event).spikes_TN, spikes_TN)

    # Compare output and target.
    output_event = Event.from_tensor(output_TBN[:, 0])
    picture = output_event.show(against=target_event, names=("output", "target"))
    picture.save("compared.svg")
    assert "only in target" in Path("compared.svg").read_text()
    output_event.animate(frames=5).save("output.gif")
    write_events("output.bs1", output_event)
    again, dropped = to_dense(read_events("output.bs1"), (NEURONS,), STEPS, 1.0)
    assert (dropped, np.array_equal(again, output_TBN[:, 0].numpy())) == (0, True)


OBJECTS: dict[str, Any] = {
    **{name: getattr(netdesc, name) for name in netdesc.__all__ if name != "__version__"},
    "Event": Event,
    "Event.show": Event.show,
    "Event.animate": Event.animate,
    "Network.record": Network.record,
    "SpikeTimeLoss.filter": SpikeTimeLoss.filter,
}


@pytest.mark.parametrize("name", OBJECTS)
def test_an_example_is_true(name: str, names: dict[str, Any]) -> None:
    documented = OBJECTS[name]
    text = inspect.getdoc(documented)
    example = doctest.DocTestParser().get_doctest(text, dict(names), name, None, 0)
    assert example.examples, f"{name} has no example"
    lines: list[str] = []
    doctest.DocTestRunner().run(example, out=lines.append)
    assert not lines, "".join(lines)


@pytest.mark.parametrize("name", OBJECTS)
def test_public_functions_are_typed(name: str) -> None:
    documented = OBJECTS[name]
    if not inspect.isfunction(documented):
        return
    signature = inspect.signature(documented)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.name == "self" or parameter.annotation is not inspect.Parameter.empty
