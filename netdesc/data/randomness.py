"""Generators of a run's random numbers, which depend only on the seed and on their purpose."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded_rng(seed: int, device: torch.device) -> Iterator[None]:
    """Seeds torch's generators for the ``with`` block, then restores their earlier states."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        yield


def sample_order(count: int, seed: int, purpose: int) -> np.ndarray:
    """Returns a permutation; ``purpose`` is 0 for the validation split, n + 1 for epoch n."""
    generator = torch.Generator().manual_seed(_hash_to_int(f"{seed} {purpose}"))
    return torch.randperm(count, generator=generator).numpy()


def input_rng(seed: int, purpose: str) -> np.random.Generator:
    """Returns a new generator for random inputs. ``purpose`` is a text such as ``epoch 3``.

    Few large calls and many small calls of the generator draw the same sequence of numbers.
    """
    return np.random.Generator(np.random.PCG64(_hash_to_int(f"{seed} draws {purpose}") % 2**64))


def _hash_to_int(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little", signed=True)
