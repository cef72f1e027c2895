"""Networks against golden files: our own, and the Oxford task as trained by lava-dl's slayer."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from support.cuba_cases import ENGINES
from support.modules_samples import dense, graph, neuron

from netdesc.events import read_events, to_dense
from netdesc.kernels.engines import use_engine
from netdesc.losses import build_loss
from netdesc.modules import Network, build

TESTS = Path(__file__).parents[1]
MAKE = runpy.run_path(str(TESTS / "golden" / "make.py"))

SHARED = TESTS.parents[1] / "shared"
SLAYER = SHARED / "golden" / "oxford_slayer.npz"
OXFORD = SHARED / "oxford"


def gradients(model: Network) -> dict[str, np.ndarray]:
    return {name: p.grad.numpy() for name, p in model.named_parameters()}  # pyright: ignore


def run(model: Network, input_TBN: torch.Tensor) -> list[torch.Tensor]:
    """The spikes of each layer."""
    signals = [input_TBN]
    for _, block in model.blocks():
        signals.append(block(signals[-1]))
    return signals[1:]


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(MAKE["FILE"]) as file:
        return dict(file)


def test_the_recorded_arrays_are_those_of_the_oracle(golden):
    arrays = MAKE["make_arrays"]()
    assert arrays.keys() == golden.keys()
    for name, value in golden.items():
        np.testing.assert_allclose(arrays[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_two_layers_as_recorded(golden, engine):
    learnt = ["current_decay", "voltage_decay"]
    layers = [
        dense(
            name, MAKE["SIZES"][layer + 1],
            neuron=neuron(
                threshold=MAKE["THRESHOLDS"][layer],
                tau_grad=MAKE["TAU_GRADS"][layer],
                scale_grad=MAKE["SCALE_GRADS"][layer],
                learn=learnt,
                per_channel=bool(layer),
            ),
        )
        for layer, name in enumerate(("hidden", "output"))
    ]  # fmt: skip
    made = graph(
        *layers,
        shape=(MAKE["SIZES"][0],),
        time_constant_ms=MAKE["TIME_CONSTANT"],
        filter_order=MAKE["ORDER"],
        filter_steps=MAKE["LENGTH"],
    )
    model = build(made)
    names = {
        f"layers.{name}.{part}": f"{part.split('.')[1]}_{layer}"
        for layer, name in enumerate(("hidden", "output"))
        for part in ("synapse.weight", "neuron.current_decay", "neuron.voltage_decay")
    }
    model.load_state_dict({ours: torch.from_numpy(golden[name]) for ours, name in names.items()})
    with use_engine(engine):
        spikes = run(model, torch.from_numpy(golden["input"]))
        loss = build_loss(made)(spikes[-1], torch.from_numpy(golden["target"]))
        loss.backward()
    for layer, found in enumerate(spikes):
        np.testing.assert_array_equal(found.detach().numpy(), golden[f"spikes_{layer}"])
        assert 0.01 < found.mean() < 0.5
    assert loss.item() == pytest.approx(float(golden["loss"]), rel=1e-6)
    for ours, grad in gradients(model).items():
        expected = golden[f"grad_{names[ours]}"]
        size = np.abs(expected).max()
        assert size > 0
        np.testing.assert_allclose(grad, expected, rtol=0, atol=1e-5 * size, err_msg=ours)


needs_slayer = pytest.mark.skipif(
    not (SLAYER.is_file() and OXFORD.is_dir()),
    reason="the recordings of slayer (../shared/golden, ../shared/oxford) lie beside the "
    "repository of its makers only",
)


class Oxford:
    """The task, and a network with the recorded initial weights."""

    def __init__(self) -> None:
        with np.load(SLAYER) as file:
            self.recorded = dict(file)
        cell = neuron(
            threshold=float(self.recorded["threshold"]),
            current_decay=float(self.recorded["current_decay"]),
            voltage_decay=float(self.recorded["voltage_decay"]),
            tau_grad=1.0,
        )
        made = graph(
            dense("hidden", 256, neuron=cell),
            dense("output", 200, neuron=cell),
            shape=(200,),
            time_constant_ms=float(self.recorded["time_constant_ms"]),
            filter_order=int(self.recorded["filter_order"]),
        )
        self.model, self.loss = build(made), build_loss(made)
        for name, block in self.model.blocks():
            block.synapse.weight.data.copy_(torch.from_numpy(self.recorded[f"w_{name}"]))
        self.input = self._tensor("input", "nearest")
        self.target = self._tensor("target", "floor")

    @staticmethod
    def _tensor(name: str, rounding: str) -> torch.Tensor:
        events = read_events(OXFORD / f"{name}.bs1")
        dense_TN, _ = to_dense(events, (200,), 2000, 1.0, rounding=rounding)
        return torch.from_numpy(dense_TN)[:, None]

    def spikes(self, layer: str) -> np.ndarray:
        return np.unpackbits(self.recorded[f"{layer}_spikes"], axis=1).T[:, None]


@pytest.fixture
def oxford() -> Oxford:
    return Oxford()


@needs_slayer
def test_the_oxford_task(oxford):
    assert (oxford.input.sum(), oxford.target.sum()) == (1881, 10361)
    silence = oxford.loss(torch.zeros_like(oxford.target), oxford.target)
    assert silence.item() == pytest.approx(60938.5, abs=0.05)


@needs_slayer
@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_epoch_of_slayer(oxford, engine):
    """Spikes are equal, gradients agree to 1e-5 of the largest."""
    with use_engine(engine):
        hidden, output = run(oxford.model, oxford.input)
        oxford.loss(output, oxford.target).backward()
    np.testing.assert_array_equal(hidden.detach().numpy(), oxford.spikes("hidden"))
    np.testing.assert_array_equal(output.detach().numpy(), oxford.spikes("output"))
    assert output.sum() > 100
    for name, block in oxford.model.blocks():
        expected = oxford.recorded[f"grad_w_{name}"]
        np.testing.assert_allclose(
            block.synapse.weight.grad.numpy(), expected, rtol=0, atol=1e-5 * np.abs(expected).max()
        )


@needs_slayer
def test_sixty_epochs_of_slayer(oxford):
    """The first three losses agree to 1e-6; later, rounding flips weights, and runs diverge."""
    optimizer = torch.optim.Adam(
        oxford.model.parameters(),
        lr=float(oxford.recorded["learning_rate"]),
        weight_decay=float(oxford.recorded["weight_decay"]),
    )
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = oxford.loss(oxford.model(oxford.input), oxford.target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    expected = oxford.recorded["losses"]
    np.testing.assert_allclose(losses[:3], expected[:3], rtol=1e-6)
    np.testing.assert_allclose(losses, expected, rtol=0.05)
    assert math.isfinite(losses[-1])
    assert losses[-1] < 0.95 * losses[0]
