"""Code that the adapters of torch programs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from netdesc.bench.peers.measure import TimedLayer
from netdesc.bench.peers.memory import host_peak_bytes
from netdesc.bench.peers.work import Work


def device_of(work: Work) -> torch.device:
    return torch.device(work.settings["device"])


def tensor(array: Any, work: Work) -> Tensor:
    """Converts an array to a tensor on the device of the work."""
    return torch.from_numpy(array).to(device_of(work))


def synapses(work: Work) -> torch.nn.Linear | FlatConv2d:
    """Builds synapses without bias that have the weights of the work.

    They map spikes [steps, batch, inputs] to what arrives, [steps, batch, neurons].
    """
    weight = tensor(work.numbers["weight"], work)
    if weight.dim() == 2:
        synapse = torch.nn.Linear(*weight.shape[::-1], bias=False, device=weight.device)
    else:
        synapse = FlatConv2d(work.settings["input_shape"], weight)
    synapse.weight.data = weight
    return synapse


class FlatConv2d(torch.nn.Conv2d):
    """A convolution of flat neurons over time: all steps and samples are images of one batch."""

    def __init__(self, shape: Sequence[int], weight: Tensor) -> None:
        outputs, inputs, height, width = weight.shape
        super().__init__(inputs, outputs, (height, width), bias=False, device=weight.device)
        self._shape = tuple(shape)

    def forward(self, input: Tensor) -> Tensor:
        images = input.reshape(-1, *self._shape)
        return super().forward(images).reshape(*input.shape[:2], -1)


def synapses_name(work: Work) -> str:
    return "torch.nn.Linear" if work.numbers["weight"].ndim == 2 else "torch.nn.Conv2d"


def layer(
    what: str,
    work: Work,
    forward: Callable[[Tensor], Tensor],
    weights: Sequence[Tensor],
    arrange: Callable[[Tensor], Tensor] = lambda values_TBN: values_TBN,
    **more: Any,
) -> TimedLayer:
    """Builds a timed layer from ``forward``, which maps input spikes to output spikes.

    ``arrange`` reorders the axes of spikes and gradients from [steps, batch, neurons]. A step is a
    forward pass, and a backward pass from the upstream gradient of the work to ``weights`` and, if
    ``input_gradient`` of the work is True, to the input.
    """
    spikes = arrange(tensor(work.dense("input"), work)).contiguous()
    upstream = arrange(tensor(work.upstream(), work)).contiguous()
    spikes.requires_grad_(work.settings["input_gradient"])

    def step() -> None:
        for each in (*weights, spikes):
            each.grad = None
        forward(spikes).backward(upstream)

    def spike_rate() -> float:
        with torch.no_grad():
            return forward(spikes).mean().item()

    return TimedLayer(what, step, spike_rate, **conditions_of(spikes.device), **more)


def conditions_of(device: torch.device) -> dict[str, Any]:
    """Returns the arguments of ``TimedLayer`` that a device decides."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "cpu",
        "threads": None if on_gpu else torch.get_num_threads(),
        "peak_bytes": peak_bytes_on(device),
        **({"wait": torch.cuda.synchronize} if on_gpu else {}),
    }


def peak_bytes_on(device: torch.device) -> Callable[[Callable[[], object]], int | None]:
    """Returns the function that measures the peak memory of work on ``device``."""
    return cuda_peak_bytes if device.type == "cuda" else host_peak_bytes


def cuda_peak_bytes(work: Callable[[], object]) -> int:
    """Runs ``work`` and returns the peak GPU memory that it took in bytes."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    return torch.cuda.max_memory_allocated() - before
