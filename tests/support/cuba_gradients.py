"""Gradients of random layers: the true ones, those of an engine, and how far they may differ."""

from __future__ import annotations

import numpy as np
import torch
from support import cuba_oracle
from support.cuba_cases import Layer

LEARNT = ("spikes", "weight", "current_decay", "voltage_decay")


def expected_gradients(layer: Layer, grad_out: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> its gradient, in double precision."""
    made = {name: torch.from_numpy(getattr(layer, name).astype(np.float64)) for name in LEARNT}
    for tensor in made.values():
        tensor.requires_grad_()
    model = _model(layer, made)
    model.out.backward(torch.from_numpy(grad_out))
    return {name: made[name].grad.numpy() for name in LEARNT}


def _model(layer: Layer, made: dict[str, torch.Tensor]) -> cuba_oracle.Differentiable:
    decays = [made[name].expand(len(layer.weight)) for name in LEARNT[2:]]
    z = made["spikes"] @ cuba_oracle.differentiable_weight(made["weight"]).T
    return cuba_oracle.differentiable_run(z, layer.exact(), *decays, *layer.scalars)


def sizes(layer: Layer, grad_out: np.ndarray) -> dict[str, float]:
    """Name -> what an error counts against: the sum of magnitudes that the largest entry comes of.

    At least what a voltage at seven widths from the threshold has: beyond that the exponential of
    the fast engine is coarse.
    """
    made = {name: torch.from_numpy(getattr(layer, name).astype(np.float64)) for name in LEARNT}
    made["spikes"].requires_grad_()
    model = _model(layer, made)
    model.out.backward(torch.from_numpy(np.abs(grad_out)))
    g_u, g_v = (
        np.stack([state.grad.numpy() for state in states])
        for states in (model.currents, model.voltages)
    )
    before_u, before_v = (
        np.stack([np.abs(state.detach().numpy()) for state in states])
        for states in (model.currents, model.helds)
    )
    tiny = 1e-3 * layer.scale_grad * 0.1 / (200 * layer.tau_grad * layer.threshold)
    weight = np.abs(cuba_oracle.integer_weight(layer.weight)) / 64
    return {
        "spikes": max(tiny, (g_u @ weight).max()),
        "weight": max(tiny, np.einsum("tbo,tbi->oi", g_u, np.abs(layer.spikes)).max()),
        "current_decay": max(tiny, (g_u[1:] * before_u[:-1]).sum()),
        "voltage_decay": max(tiny, (g_v[1:] * before_v[:-1]).sum()),
    }


def gradients(layer: Layer, engine: str, grad_out: np.ndarray) -> dict[str, np.ndarray]:
    made = layer.tensors(*LEARNT, engine=engine)
    out, *_ = layer.forward(engine, made)
    out.backward(torch.from_numpy(grad_out.astype(np.float32)).to(out.device))
    return {name: made[name].grad.cpu().numpy() for name in LEARNT}


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
