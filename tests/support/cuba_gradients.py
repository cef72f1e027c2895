"""Gradients of random layers: the exact ones, those of an engine, and the tolerance."""

import numpy as np
import torch
from support import cuba_oracle
from support.cuba_cases import Layer

LEARNT = ("spikes", "weight", "current_decay", "voltage_decay")


def expected_gradients(layer: Layer, grad_out: np.ndarray) -> dict[str, np.ndarray]:
    """Exact gradients by name, in double precision."""
    tensors = {name: torch.from_numpy(getattr(layer, name).astype(np.float64)) for name in LEARNT}
    for tensor in tensors.values():
        tensor.requires_grad_()
    model = _model(layer, tensors)
    model.out.backward(torch.from_numpy(grad_out))
    return {name: tensors[name].grad.numpy() for name in LEARNT}


def _model(layer: Layer, tensors: dict[str, torch.Tensor]) -> cuba_oracle.Differentiable:
    decays = [tensors[name].expand(len(layer.weight)) for name in LEARNT[2:]]
    z = tensors["spikes"] @ cuba_oracle.differentiable_weight(tensors["weight"]).T
    return cuba_oracle.differentiable_run(z, layer.exact(), *decays, *layer.numbers, layer.delay)


def sizes(layer: Layer, grad_out: np.ndarray) -> dict[str, float]:
    """Sizes by name that errors are relative to: the largest sum of magnitudes in a gradient.

    They are at least the gradient of a voltage seven widths from the threshold; beyond that the
    exponential of the fast engines is inexact.
    """
    tensors = {name: torch.from_numpy(getattr(layer, name).astype(np.float64)) for name in LEARNT}
    tensors["spikes"].requires_grad_()
    model = _model(layer, tensors)
    model.out.backward(torch.from_numpy(np.abs(grad_out)))
    g_u, g_v = (
        np.stack([state.grad.numpy() for state in states])
        for states in (model.currents, model.voltages)
    )
    magnitude_u, magnitude_v = (
        np.stack([np.abs(state.detach().numpy()) for state in states])
        for states in (model.currents, model.reset_vs)
    )
    tiny = 1e-3 * layer.scale_grad * 0.1 / (200 * layer.tau_grad * layer.threshold)
    weight = np.abs(cuba_oracle.integer_weight(layer.weight)) / 64
    return {
        "spikes": max(tiny, (g_u @ weight).max()),
        "weight": max(tiny, np.einsum("tbo,tbi->oi", g_u, np.abs(layer.spikes)).max()),
        "current_decay": max(tiny, (g_u[1:] * magnitude_u[:-1]).sum()),
        "voltage_decay": max(tiny, (g_v[1:] * magnitude_v[:-1]).sum()),
    }


def gradients(layer: Layer, engine: str, grad_out: np.ndarray) -> dict[str, np.ndarray]:
    tensors = layer.tensors(*LEARNT, engine=engine)
    out, *_ = layer.forward(engine, tensors)
    out.backward(torch.from_numpy(grad_out.astype(np.float32)).to(out.device))
    return {name: tensors[name].grad.cpu().numpy() for name in LEARNT}


def random_grad(layer: Layer, seed: int = 0) -> np.ndarray:
    shape = (*layer.spikes.shape[:2], len(layer.weight))
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32).astype(np.float64)


def check(layer: Layer, engine: str, size: dict[str, float]) -> None:
    grad_out = random_grad(layer)
    expected = expected_gradients(layer, grad_out)
    for name, found in gradients(layer, engine, grad_out).items():
        assert found.dtype == np.float32
        assert found.shape == getattr(layer, name).shape
        np.testing.assert_allclose(
            found, expected[name], rtol=0, atol=1e-5 * size[name], err_msg=f"{engine} {name}"
        )
