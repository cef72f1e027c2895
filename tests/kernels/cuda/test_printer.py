"""The printed source of neurons for Triton."""

import os
import subprocess
import sys

from support.neuron_cases import DEFINITIONS

from netdesc.kernels.cuda.printer import function_source
from netdesc.neurons.compile import compile_neuron

NAMES = ["mixed_exact", "alif", "rf"]


def print_all(names: list[str]) -> dict[str, list[str]]:
    programs = {name: compile_neuron(DEFINITIONS[name], learn=True) for name in names}
    return {
        name: [function_source(program, 4096, function) for function in ("step", "adjoint")]
        for name, program in programs.items()
    }


def test_the_text_is_the_same_in_every_process() -> None:
    """Whatever was compiled before, and however names are hashed."""
    code = f"from kernels.cuda.test_printer import *; print(print_all({NAMES[::-1]}))"
    path = os.pathsep.join(each for each in sys.path if each)
    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected = print_all(NAMES)
    assert printed.stdout == f"{dict(reversed(expected.items()))}\n"


def test_what_is_the_same_in_all_steps_is_computed_once() -> None:
    """Parameters are loaded and rounded before the first step, and shares become real there."""
    for source in print_all(["cuba"])["cuba"]:
        constants_of, function = source.split("@triton.jit\ndef ")[1:]
        assert "load_decay" in constants_of
        assert "load_" not in function
