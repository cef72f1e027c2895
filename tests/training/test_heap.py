"""The heap keeps freed memory while a network is trained on a CPU."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="Windows does not count page faults so")

PROGRAM = """
import resource
import torch
from netdesc.training.device import keep_freed_memory

def page_faults():
    torch.ones(1 << 24)  # larger than any threshold of the C library
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with keep_freed_memory():
    inside = page_faults()
print([inside, page_faults()])
"""
"""A program of its own, because tests may run in another thread than the first one."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library alone has settings")
def test_memory_is_taken_from_the_system_again_only_outside_the_block() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    inside, outside = json.loads(ended.stdout)
    assert 4 * inside < outside
