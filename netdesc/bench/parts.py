"""The timed parts of an epoch, and the functions that compute them."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

Function = Callable[..., Any]
TimedFunctions = Sequence[tuple[str, str]]
"""Pairs of a part's name and a function of this part (``module:name``). A part may have several
functions."""

_CPU = "netdesc.kernels.cpu"

PARTS: TimedFunctions = (
    ("event lists", f"{_CPU}.spikes.packed_spikes:_pack"),
    ("event lists", f"{_CPU}.spikes.event_list:_count_by_row"),
    ("event lists", f"{_CPU}.spikes.event_list:_list_sources"),
    ("weights to the grid", f"{_CPU}.synapses.weights:_quantize_all"),
    ("weights to the grid", f"{_CPU}.synapses.weights:_round_all"),
    ("forward", f"{_CPU}.segment:forward_by_events"),
    ("forward", f"{_CPU}.segment:forward_from_current"),
    ("backward", f"{_CPU}.segment:backward_by_events"),
    ("backward", f"{_CPU}.segment:backward_from_product"),
    ("loss", "netdesc.kernels.cpu.engine:spike_time"),
    ("matrix product", f"{_CPU}.gemm.gemm:_multiply"),
    ("optimizer", "netdesc.training.step:EagerStep.update"),
)
EPOCH_START = "netdesc.training.loop:set_learning_rate"
"""The function whose call marks the start of an epoch."""


def replace_function(
    target: str, wrap: Callable[[Function], Function]
) -> AbstractContextManager[object]:
    """Within the block, replaces the function at ``target`` with ``wrap(function)``."""
    function = pkgutil.resolve_name(target)
    return mock.patch(target.replace(":", "."), functools.wraps(function)(wrap(function)))
