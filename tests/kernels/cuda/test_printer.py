"""The printed source of neurons for Triton."""

import os
import subprocess
import sys

from support.neuron_cases import DEFINITIONS

from netdesc.kernels.cuda.printer import print_program
from netdesc.neurons.compile import compile_neuron

NAMES = ["mixed_exact", "alif", "rf"]


def print_all(names: list[str]) -> dict[str, str]:
    programs = {name: compile_neuron(DEFINITIONS[name], learn=True) for name in names}
    return {name: print_program(program, 4096) for name, program in programs.items()}


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
    source = print_all(["cuba"])["cuba"]
    functions = dict(part.split("(", 1) for part in source.split("@triton.jit\ndef ")[1:])
    assert list(functions) == ["prepare", "step", "prepare_back", "step_back"]
    assert "load_decay" in functions["prepare"]
    assert "load_" not in functions["step"] + functions["step_back"]
