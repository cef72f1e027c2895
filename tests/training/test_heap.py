"""The heap keeps freed memory while a network is trained on a CPU."""

from __future__ import annotations

import platform

import pytest
import torch

from netdesc.training.heap import keep_freed_memory

resource = pytest.importorskip("resource", reason="Windows does not count page faults so")

_BYTES = 64 << 20
"""Size of a tensor that is larger than any threshold of the C library."""


def _page_faults() -> int:
    """Returns the page faults of filling eight large tensors, one after another."""
    torch.ones(_BYTES // 4)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        torch.ones(_BYTES // 4)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="GNU's C library alone has settings")
def test_memory_is_taken_from_the_system_again_only_outside_the_block() -> None:
    with keep_freed_memory():
        inside = _page_faults()
    assert 4 * inside < _page_faults()
