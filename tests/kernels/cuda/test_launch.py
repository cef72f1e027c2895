"""Block sizes: the fastest is measured once for a shape, and no result depends on it."""

from typing import Any

import pytest
import torch
from support.cuba_cases import GPU, plain_layer
from support.grids import slow

pytest.importorskip("triton", reason="Triton is not installed")

from netdesc.kernels import operators
from netdesc.kernels.cuda import launch
from netdesc.kernels.engines import use_engine


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Block sizes of started kernels. Measurements are on, and wider blocks are faster."""
    widths: list[int] = []
    start = launch.start_programs

    def record(kernel: Any, grid: tuple[int, ...], *args: Any, **constants: Any) -> None:
        widths.append(constants.get("BLOCK", 0))
        start(kernel, grid, *args, **constants)

    def milliseconds(run: Any) -> float:
        run()
        return 1.0 / widths[-1]

    monkeypatch.setattr(launch, "start_programs", record)
    monkeypatch.setattr(launch, "_milliseconds", milliseconds)
    monkeypatch.setattr(launch, "_can_measure", lambda: True)
    monkeypatch.setattr(launch, "_fastest", {})
    return widths


def all_results(neurons: int = 37) -> list[torch.Tensor]:
    layer = plain_layer(3, steps=4, neurons=neurons, density=0.3)
    tensors = layer.tensors("weight", "current_decay", "voltage_decay", engine="cuda")
    with use_engine("cuda"):
        out, counts = layer.forward("cuda", tensors)
        loss, _ = operators.spike_time(out, torch.zeros_like(out), 0.7, 2, 100, True)
        loss.backward()
    names = ("weight", "current_decay", "voltage_decay")
    return [out.detach(), counts, loss.detach(), *(tensors[name].grad for name in names)]


def test_the_fastest_block_is_used_and_changes_no_result(
    measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = all_results()
    assert {32, 64, 128} <= set(measured)
    measured.clear()
    again = all_results()
    started = [width for width in measured if width]
    assert 128 in started, "the fastest was not used"
    assert 64 not in started, "it was measured again"
    monkeypatch.setattr(launch, "_can_measure", lambda: False)
    monkeypatch.setattr(launch, "_fastest", {})
    measured.clear()
    plain = all_results()
    assert 128 not in measured
    for one, two, three in zip(first, again, plain, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert first[1][3] > 0, "nothing spiked"


@slow
def test_another_shape_is_measured(measured: list[int]) -> None:
    all_results()
    measured.clear()
    all_results(neurons=5)
    assert 64 in measured


@slow
def test_captures_measure_nothing(measured: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    all_results()
    known = dict(launch._fastest)
    monkeypatch.setattr(launch, "_can_measure", lambda: False)
    measured.clear()
    all_results()
    assert 128 in measured
    all_results(neurons=5)
    assert launch._fastest == known


@pytest.mark.skipif(GPU.type != "cuda", reason="no GPU here")
def test_time_is_measured_on_the_gpu() -> None:
    long, short = (torch.zeros(size, device=GPU) for size in (1 << 26, 1 << 10))
    assert launch._milliseconds(long.sin_) > launch._milliseconds(short.sin_) > 0
