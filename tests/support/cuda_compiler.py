"""Compiles kernels of the CUDA engine for a GPU, which need not exist on this machine.

``python cuda_compiler.py 90 layers DEFINITION …`` prints a line of JSON for each compilation for
compute capability 9.0, of the kernels of layers and of neurons with these definitions: the kernel,
the matrix instructions that it uses and the shared memory that it takes. Must run in a process of
its own, without TRITON_INTERPRET. Nothing is computed.
"""

import json
import re
import sys
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget

from netdesc.kernels.cuda import engine, launch
from netdesc.kernels.layer_neurons import make_neurons, state_names
from netdesc.kernels.segments import SegmentLayer
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition
from netdesc.neurons.models.cuba import Cuba

CUBA = Cuba(type="cuba", threshold=1, current_decay=1, voltage_decay=1).definition().to_text()


class AbsentGPU:
    """The methods of a driver that Triton calls before it compiles."""

    def __init__(self, capability: int) -> None:
        self.capability = capability

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self.capability, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def compile_instead(kernel: Any, grid: tuple[int, ...]) -> Any:
    def compile_only(*args: Any, **constants: Any) -> None:
        compiled = kernel.warmup(*args, grid=grid, **constants)
        instructions = re.findall(r"(?:mma\.sync|wgmma\.mma_async)[\w.]*", compiled.asm["ptx"])
        found = {
            "kernel": kernel.fn.__name__,
            "bytes": len(compiled.asm["cubin"]),
            "shared": compiled.metadata.shared,
            "products": sorted(set(instructions)),
        }
        print(json.dumps(found), flush=True)

    return compile_only


def start_everything(steps: int, batch: int, inputs: int, units: int, learn: bool) -> None:
    """Calls every function of the engine; with ``learn`` decays are learnt and there is a delay."""
    values, shape = (0.5, 0.3, 0.3, 0.0, 0.1, 0.5), (units,) if learn else ()
    parameters = [torch.full(shape, value) for value in values]
    neurons = make_neurons(CUBA, learn, parameters, units, delay=int(learn))
    layers = [SegmentLayer(torch.zeros(units, inputs), neurons)]
    spikes = torch.zeros(steps, batch, inputs)
    out, _, saved = engine.segment(spikes, layers, True)
    engine.segment_backward(out, spikes, layers, saved, True)
    for filtering in ((0.6, 2, 100), (0.999, 2, 3)):
        engine.spike_time(out, out, *filtering, True)


def start_neurons(definition: Definition) -> None:
    """Runs neurons forward and backward, and from given states; they are delayed, and learn."""
    signal, states = torch.zeros(9, 2, 5), [torch.zeros(2, 5, dtype=torch.int32)]
    parameters = [torch.zeros(5)] * len(compile_neuron(definition, learn=True).parameters)
    neurons = make_neurons(definition.to_text(), True, parameters, 5, delay=1)
    inputs = [signal] * len(definition.inputs)
    *_, saved = engine.neurons(inputs, neurons, [], True)
    engine.neurons_backward(signal, neurons, saved)
    engine.neurons(inputs, neurons, states * len(state_names(neurons)), False)


if __name__ == "__main__":
    triton.runtime.driver.set_active(AbsentGPU(int(sys.argv[1])))
    triton.JITFunction.__getitem__ = compile_instead
    launch.IS_INTERPRETED = True  # otherwise tensors on the CPU are refused
    for part in sys.argv[2:]:
        if part == "layers":
            start_everything(48, 2, 32, 48, learn=True)
            start_everything(1, 1, 1, 1, learn=False)
        else:
            start_neurons(Definition.from_text(part))
