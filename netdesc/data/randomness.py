"""Generators of a run's random numbers, which depend only on the seed and on their purpose."""

import hashlib
from collections.abc import Iterable, Iterator
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


def seed_shard(seed: int, epoch: int, batch: int, shard: int, device: torch.device) -> None:
    """Seeds torch's generators for the dropout of a shard, whichever process computes it."""
    number = _hash_to_int(f"{seed} dropout {epoch} {batch} {shard}")
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)


def sample_order(count: int, seed: int, purpose: int) -> np.ndarray:
    """Returns a permutation; ``purpose`` is 0 for the validation split, n + 1 for epoch n."""
    generator = torch.Generator().manual_seed(_hash_to_int(f"{seed} {purpose}"))
    return torch.randperm(count, generator=generator).numpy()


def sample_rngs(seed: int, purpose: str, rows: Iterable[int]) -> Iterator[np.random.Generator]:
    """Yields a generator for the random inputs of each row. ``purpose`` is a text like ``epoch 3``.

    What it draws depends only on the seed, the purpose and the row: not on the batch, the order or
    the process. It is the same object, set anew, so use it before the next one is taken. The key of
    Philox (Salmon et al. 2011) is a hash of seed and purpose, and the highest of the four words of
    its counter is the row, so that rows do not meet within 2^192 draws.
    """
    philox = np.random.Philox(key=_hash_to_int(f"{seed} draws {purpose}") % 2**64)
    rng, state = np.random.Generator(philox), philox.state
    for row in rows:
        state["state"]["counter"][3] = row
        philox.state = state  # several times faster than a new generator
        yield rng


def _hash_to_int(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little", signed=True)
