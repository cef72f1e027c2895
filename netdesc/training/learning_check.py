"""Finds layers that did not spike or did not learn in the last epoch, from its metrics."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any


def learning_problems(
    epoch_metrics: Mapping[str, Any], read_by_state: Collection[str] = ()
) -> Iterator[str]:
    """Yields sentences about layers without spikes and about layers without gradient.

    ``epoch_metrics`` is a line of ``metrics.jsonl``. Its spike rates cover all training samples. At
    a loss of 0 all gradients are 0, so nothing is said about gradients. The layers
    ``read_by_state`` need not spike.
    """
    rates = epoch_metrics["spike_rates"]
    silent = [layer for layer in _layers_at_zero(rates) if layer not in read_by_state]
    if silent:
        yield (
            f"no neuron of {_quote(silent)} spiked in the last epoch; a lower threshold, a larger "
            f"weight_scale or a lower learning rate may help"
        )
    unreached = _layers_at_zero(epoch_metrics["gradient_norms"])
    if unreached and epoch_metrics["loss"] > 0:
        yield (
            f"no gradient reached {_quote(unreached)} in the last epoch, so nothing was learned "
            f"there"
        )


def _layers_at_zero(values: Mapping[str, float]) -> list[str]:
    return [layer for layer, value in values.items() if value == 0]


def _quote(layers: Sequence[str]) -> str:
    names = ", ".join(f'"{layer}"' for layer in layers)
    return f"layer {names}" if len(layers) == 1 else f"the layers {names}"
