"""The parts of an epoch that are timed, and where their functions are."""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Function = Callable[..., Any]
Parts = Sequence[tuple[str, str]]

_CPU = "netdesc.kernels.cpu"

PARTS: Parts = (
    ("event lists", f"{_CPU}.events:_count"),
    ("event lists", f"{_CPU}.bit_rows:_pack"),
    ("event lists", f"{_CPU}.bit_rows:list_events"),
    ("event lists", f"{_CPU}.trains:_list"),
    ("weights to integers", f"{_CPU}.weights:_quantize_all"),
    ("forward", f"{_CPU}.forward:forward_by_events"),
    ("forward", f"{_CPU}.forward:forward_from_input"),
    ("loss filter", f"{_CPU}.van_rossum:filter_difference"),
    ("loss adjoint", f"{_CPU}.van_rossum:filter_adjoint"),
    ("adjoint", f"{_CPU}.backward:adjoint"),
    ("adjoint and weights", f"{_CPU}.backward:adjoint_by_events"),
    ("last layer and loss", f"{_CPU}.last_layer:there_and_back"),
    ("product and adjoint", f"{_CPU}.from_above:adjoint_from_above"),
    ("matrix product", f"{_CPU}.product:matmul"),
    ("optimizer", "netdesc.training.steps:PlainStep.update"),
)
"""A part's name, and the function that does it, as ``module:name``."""

EPOCH_START = "netdesc.training.loop:set_learning_rate"
"""The loop calls it once an epoch, before all else."""


@contextlib.contextmanager
def replaced(place: str, wrap: Callable[[Function], Function]) -> Iterator[None]:
    """Within the block, the function at ``place`` is the one that ``wrap`` makes of it."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner = functools.reduce(getattr, owners, importlib.import_module(module))
    function = getattr(owner, name)
    setattr(owner, name, functools.wraps(function)(wrap(function)))
    try:
        yield
    finally:
        setattr(owner, name, function)
