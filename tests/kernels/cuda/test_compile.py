"""The CUDA engine's kernels compile for GPUs; no GPU is needed for this test."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.neuron_cases import DEFINITIONS

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)

KERNELS = {
    "run_steps", "run_adjoints", "input_currents", "input_gradient", "weight_gradient_parts",
    "weight_gradient", "filter_signal",
}  # fmt: skip

MAX_SHARED_BYTES = 64 << 10
"""Shared memory of a block on the smallest GPU that netdesc supports."""


NEURONS = ("mixed_exact", "payload", "sigma_delta")
"""Neurons that together have every operation, two inputs, a payload, and no spike."""


def compile_parts(capability: str, parts: list[str], cache: Path) -> list[dict[str, Any]]:
    """Returns what the script prints of each compilation."""
    script = Path(__file__).parents[2] / "support" / "cuda_compiler.py"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    ended = subprocess.run(
        [sys.executable, str(script), capability, *parts],
        capture_output=True,
        text=True,
        env={**environment, "TRITON_CACHE_DIR": str(cache)},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    compilations = [json.loads(line) for line in ended.stdout.splitlines()]
    assert all(each["bytes"] and each["shared"] <= MAX_SHARED_BYTES for each in compilations)
    return compilations


def test_the_kernels_of_a_neuron_compile(tmp_path: Path) -> None:
    """The compiler checks types that the interpreter does not."""
    compilations = compile_parts("75", [DEFINITIONS["sigma_delta"].to_text()], tmp_path)
    assert {each["kernel"] for each in compilations} == {"run_steps", "run_adjoints"}


@pytest.mark.slow
@pytest.mark.parametrize("capability", ["75", "80", "90"])
def test_every_kernel_compiles(capability: str, tmp_path: Path) -> None:
    """One capability is the oldest that netdesc supports; the others have tensor cores that Triton
    uses.
    """
    texts = [DEFINITIONS[each].to_text() for each in NEURONS]
    compilations = compile_parts(capability, ["layers", *texts], tmp_path)
    assert {each["kernel"] for each in compilations} == KERNELS
    products = {each["kernel"]: " ".join(each["products"]) for each in compilations}
    assert "tf32" not in products["input_currents"], "payloads would lose digits"
    if capability == "90":
        assert "f32.f16.f16" in products["input_currents"], "spikes are not on tensor cores"
        assert "tf32" in products["input_gradient"]
        assert "tf32" in products["weight_gradient_parts"]
