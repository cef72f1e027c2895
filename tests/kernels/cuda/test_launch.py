"""Blocks of kernels: the fastest is found once for a shape, and no result depends on it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.cuba_cases import GPU, plain_layer

pytest.importorskip("triton", reason="Triton is not installed")

from netdesc.kernels import operators
from netdesc.kernels.cuda import launch
from netdesc.kernels.engine import use_engine


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Blocks are tried, and are the faster the wider; what was tried, in order."""
    widths: list[int] = []
    start = launch.start

    def noting(kernel: Any, grid: tuple[int, ...], *args: Any, **constants: Any) -> None:
        widths.append(constants.get("BLOCK", 0))
        start(kernel, grid, *args, **constants)

    def milliseconds(run: Any) -> float:
        for _ in range(3):
            run()
        return 1.0 / widths[-1]

    monkeypatch.setattr(launch, "start", noting)
    monkeypatch.setattr(launch, "_milliseconds", milliseconds)
    monkeypatch.setattr(launch, "_can_try", lambda: True)
    monkeypatch.setattr(launch, "_fastest", {})
    return widths


def everything(neurons: int = 37) -> list[torch.Tensor]:
    layer = plain_layer(3, steps=9, neurons=neurons, density=0.3)
    made = layer.tensors("weight", "current_decay", "voltage_decay", engine="cuda")
    with use_engine("cuda"):
        out, voltage, notes = layer.forward("cuda", made)
        loss, _ = operators.spike_time(out, torch.zeros_like(out), 0.7, 2, 100)
        loss.backward()
    names = ("weight", "current_decay", "voltage_decay")
    return [out.detach(), voltage, notes, loss.detach(), *(made[name].grad for name in names)]


def test_what_is_found_is_taken_and_changes_nothing(
    tried: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = everything()
    assert {32, 64, 128} <= set(tried)
    tried.clear()
    again = everything()
    walked = [width for width in tried if width]
    assert 128 in walked, "the fastest was not taken"
    assert 64 not in walked, "it was tried again"
    assert launch.block(2 * 37) in walked, "sums of a loss follow from the shapes alone"
    monkeypatch.setattr(launch, "_can_try", lambda: False)
    monkeypatch.setattr(launch, "_fastest", {})
    tried.clear()
    plain = everything()
    assert 128 not in tried
    for one, two, three in zip(first, again, plain, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert first[2][3] > 0, "nothing spiked"


def test_another_shape_is_tried_again(tried: list[int]) -> None:
    everything()
    tried.clear()
    everything(neurons=5)
    assert 64 in tried


def test_a_graph_that_is_captured_takes_what_is_known(
    tried: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything()
    known = dict(launch._fastest)
    monkeypatch.setattr(launch, "_can_try", lambda: False)
    tried.clear()
    everything()
    assert 128 in tried
    everything(neurons=5)
    assert launch._fastest == known


@pytest.mark.skipif(GPU.type != "cuda", reason="no GPU here")
def test_time_is_measured_on_the_gpu() -> None:
    long, short = (torch.zeros(size, device=GPU) for size in (1 << 26, 1 << 10))
    assert launch._milliseconds(long.sin_) > launch._milliseconds(short.sin_) > 0
