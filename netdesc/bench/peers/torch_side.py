"""What the programs that are made of torch have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from netdesc.bench.peers.measure import Layer
from netdesc.bench.peers.memory import host_growth
from netdesc.bench.peers.work import Work


def device_of(work: Work) -> torch.device:
    return torch.device(work.settings["device"])


def tensor(array: Any, work: Work) -> Tensor:
    """A float32 tensor on the device of the work."""
    return torch.from_numpy(array).to(device_of(work))


def linear(work: Work) -> torch.nn.Linear:
    """Dense synapses without bias that hold the weights of the work."""
    weight_OI = tensor(work.numbers["weight_OI"], work)
    synapse = torch.nn.Linear(*weight_OI.shape[::-1], bias=False, device=weight_OI.device)
    synapse.weight.data = weight_OI
    return synapse


def layer(
    what: str,
    work: Work,
    forward: Callable[[Tensor], Tensor],
    weight: Tensor,
    arrange: Callable[[Tensor], Tensor] = lambda values_TBN: values_TBN,
    **more: Any,
) -> Layer:
    """A layer whose ``forward`` maps spikes to spikes, in the order of axes that ``arrange`` makes.

    Axes are arranged here, once. A step is: forward, then backward from the upstream gradient of
    the work to ``weight``, and to the input where that is asked for.
    """
    spikes = arrange(tensor(work.dense("input"), work)).contiguous()
    upstream = arrange(tensor(work.upstream(), work)).contiguous()
    spikes.requires_grad_(work.settings["input_gradient"])

    def step() -> None:
        weight.grad = spikes.grad = None
        forward(spikes).backward(upstream)

    def spike_rate() -> float:
        with torch.no_grad():
            return forward(spikes).mean().item()

    on_card = spikes.is_cuda
    return Layer(
        what,
        step,
        spike_rate,
        device=torch.cuda.get_device_name(spikes.device) if on_card else "cpu",
        threads=None if on_card else torch.get_num_threads(),
        growth=growth_on(spikes.device),
        **({"wait": torch.cuda.synchronize} if on_card else {}),
        **more,
    )


def growth_on(device: torch.device) -> Callable[[Callable[[], None]], int | None]:
    """What measures the memory that work on ``device`` takes."""
    return card_growth if device.type == "cuda" else host_growth


def card_growth(work: Callable[[], None]) -> int:
    """Bytes that ``work`` took of the card's memory at its peak, beyond what was held before."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    return torch.cuda.max_memory_allocated() - before
