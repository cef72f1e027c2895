"""The CUDA engine's kernels as a GPU's compiler sees them; no GPU is needed for that."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton is not installed"
)

KERNELS = {
    "forward", "adjoint", "leaky", "leaky_adjoint", "input_currents", "input_gradient",
    "weight_gradient_parts", "weight_gradient", "filter_difference", "filter_adjoint",
    "convolve_difference", "convolve_adjoint",
}  # fmt: skip

SHARED_OF_A_BLOCK = 64 << 10
"""Bytes of shared memory that a block has on the smallest GPU that netdesc takes."""


@pytest.mark.parametrize("capability", ["75", "90"])
def test_every_kernel_compiles(capability: str, tmp_path: Path) -> None:
    """The interpreter is lenient about types; the compiler of a real GPU is not.

    The oldest kind that netdesc takes, and one that has tensor cores which Triton uses.
    """
    script = Path(__file__).parents[2] / "support" / "cuda_compiler.py"
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    ended = subprocess.run(
        [sys.executable, str(script), capability],
        capture_output=True,
        text=True,
        env={**environment, "TRITON_CACHE_DIR": str(tmp_path)},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    made = [json.loads(line) for line in ended.stdout.splitlines()]
    assert {each["kernel"] for each in made} == KERNELS
    assert all(each["bytes"] and each["shared"] <= SHARED_OF_A_BLOCK for each in made)
    products = {each["kernel"]: " ".join(each["products"]) for each in made}
    assert "tf32" not in products["input_currents"], "a payload would lose its last digits"
    if capability == "90":
        assert "f32.f16.f16" in products["input_currents"], "spikes are not on tensor cores"
        assert "tf32" in products["input_gradient"]
        assert "tf32" in products["weight_gradient_parts"]
