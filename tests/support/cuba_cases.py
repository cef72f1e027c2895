"""Random layers of CUBA neurons for the tests of the kernels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from support import cuba_oracle

from netdesc.kernels import operators
from netdesc.kernels.engines import use_engine
from netdesc.neurons.models.cuba import Cuba

ENGINES = ("reference", "cpu")

CUBA = (
    Cuba(type="cuba", threshold=1, current_decay=1, voltage_decay=1, tau_grad=1)
    .definition()
    .to_text()
)
"""The equations, which are the same for all values of the parameters."""

MAX_PARAMETER = 32768.0
"""Largest threshold and bias; larger ones are clamped."""

GPU = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""Device of the engine ``cuda``; on the CPU Triton interprets its kernels, which is slow."""


def device_of(engine: str) -> torch.device:
    return GPU if engine == "cuda" else torch.device("cpu")


@dataclass
class Layer:
    """A dense layer and its input, [steps, batch, inputs], as numpy arrays of 32-bit floats."""

    spikes: np.ndarray
    weight: np.ndarray
    current_decay: np.ndarray
    voltage_decay: np.ndarray
    bias: np.ndarray
    threshold: float
    delay: bool
    tau_grad: float = 1.0
    scale_grad: float = 1.0

    @property
    def numbers(self) -> tuple[float, float, float]:
        return self.threshold, self.tau_grad, self.scale_grad

    def synaptic_input(self) -> np.ndarray:
        """The exact synaptic input in state units, [steps, batch, neurons]."""
        sums = self.spikes.astype(np.float64) @ cuba_oracle.integer_weight(self.weight).T
        return np.trunc(64 * sums).astype(np.int64)

    def exact(self) -> cuba_oracle.Run:
        bias = np.trunc(self.bias.astype(np.float64) * 4096).astype(np.int64)
        return cuba_oracle.run(
            self.synaptic_input(),
            self.current_decay,
            self.voltage_decay,
            self.threshold,
            bias if bias.size else 0,
            self.delay,
        )

    def tensors(self, *learnt: str, engine: str = "cpu") -> dict[str, torch.Tensor]:
        names = ("spikes", "weight", "current_decay", "voltage_decay", "bias")
        device = device_of(engine)
        tensors = {name: torch.from_numpy(getattr(self, name).copy()).to(device) for name in names}
        for name in learnt:
            tensors[name].requires_grad_()
        return tensors

    def forward(self, engine: str, tensors: dict[str, torch.Tensor] | None = None) -> Any:
        """Spikes and counts of a segment of this layer alone."""
        tensors = self.tensors(engine=engine) if tensors is None else tensors
        decays = tensors["current_decay"], tensors["voltage_decay"]
        parameters = cuba_parameters(decays, tensors["bias"], self.numbers)
        learn = any(decay.requires_grad for decay in decays)
        numbers = [int(self.delay), int(learn)]
        with use_engine(engine):
            out, (counts,), _ = operators.segment(
                tensors["spikes"], [tensors["weight"]], parameters, CUBA, numbers, True
            )
        return out, counts


def cuba_parameters(
    decays: tuple[torch.Tensor, torch.Tensor],
    bias: torch.Tensor,
    numbers: tuple[float, float, float],
) -> list[torch.Tensor]:
    """The parameters of ``CUBA``; ``numbers`` are threshold, tau_grad and scale_grad."""
    threshold, tau_grad, scale_grad = numbers
    width = 100 * tau_grad * int(64 * threshold) / 64
    theta, peak, width = (
        torch.tensor(each, dtype=torch.float32, device=bias.device)
        for each in (threshold, scale_grad * 0.1 / (2 * width), width)
    )
    return [theta, *decays, bias if bias.numel() else torch.zeros_like(theta), peak, width]


WEIGHT_SCALES = (0.02, 0.3, 3.0, 100.0)
DENSITIES = (0.0, 0.03, 0.08, 0.3, 1.0)


def _decays(draw: st.DrawFn, rng: np.random.Generator, neurons: int) -> np.ndarray:
    kind = draw(st.sampled_from(["zero", "one", "shared", "halfway", "per_neuron", "extremes"]))
    if kind == "per_neuron":
        return rng.random(neurons).astype(np.float32)
    if kind == "extremes":
        return rng.choice([0.0, 1.0, 1 / 4096, 0.5, 4095 / 4096], neurons).astype(np.float32)
    shared = {
        "zero": 0.0,
        "one": 1.0,
        "shared": rng.random(),
        "halfway": (rng.integers(4096) + 0.5) / 4096,  # between two decays of the grid
    }[kind]
    return np.array(shared, np.float32)


def _weights(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    weight = rng.normal(0, scale, shape)
    halfway = rng.random(shape) < 0.3  # between two weights of the grid
    return np.where(halfway, np.rint(weight * 64) / 64, weight).astype(np.float32)


@st.composite
def layers(draw: st.DrawFn, graded: bool = True, max_steps: int = 40) -> Layer:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps, batch = draw(st.integers(1, max_steps)), draw(st.integers(1, 3))
    inputs, neurons = draw(st.integers(1, 40)), draw(st.integers(1, 70))
    spikes = rng.random((steps, batch, inputs)) < draw(st.sampled_from(DENSITIES))
    values = 1.0
    if graded and draw(st.booleans()):
        # Small enough that 32-bit floats hold the sums exactly.
        unit = draw(st.sampled_from([1.0, 0.25, 1 / 512]))
        values = rng.integers(-1000, 1000, spikes.shape) * unit
    bias = np.zeros(0)
    if draw(st.booleans()):
        bias = rng.integers(-300, 300, neurons) / 64
    return Layer(
        spikes=(spikes * values).astype(np.float32),
        weight=_weights(rng, (neurons, inputs), draw(st.sampled_from(WEIGHT_SCALES))),
        current_decay=_decays(draw, rng, neurons),
        voltage_decay=_decays(draw, rng, neurons),
        bias=bias.astype(np.float32),
        threshold=draw(st.sampled_from([1 / 64, 0.1, 0.5, 1.0, 3.37, MAX_PARAMETER])),
        delay=draw(st.booleans()),
    )


def plain_layer(
    seed: int,
    steps: int = 30,
    batch: int = 2,
    inputs: int = 20,
    neurons: int = 37,
    density: float = 0.05,
    **more: Any,
) -> Layer:
    """A layer in which about a tenth of the neurons spike in each step."""
    rng = np.random.default_rng(seed)
    defaults = {
        "spikes": (rng.random((steps, batch, inputs)) < density).astype(np.float32),
        "weight": rng.normal(0, 0.6, (neurons, inputs)).astype(np.float32),
        "current_decay": np.array(0.3, np.float32),
        "voltage_decay": np.array(0.1, np.float32),
        "bias": np.zeros(0, np.float32),
        "threshold": 0.5,
        "delay": True,
    }
    return Layer(**(defaults | more))
