"""Runs a ``.net`` file or a model in the device's integers, without loading torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from netdesc.exchange import import_net
from netdesc.graph import build_graph
from netdesc.hardware import FoldedModel, IntegerNetwork, Resets, Timing


def run_integer(
    network: str | Path | FoldedModel,
    input_TN: NDArray[Any],
    *,
    timing: Timing = "training",
    reset_interval: int | None = None,
    reset_offset: int | None = None,
) -> NDArray[Any]:
    """Computes the output with the device's integer arithmetic.

    ``network`` is a ``.net`` file, or the ``model`` that ``netdesc.compile`` returns. ``input_TN``
    holds spikes, integers or multiples of 1/4096, [steps, neurons] or [steps, *input shape], for
    any number of steps of the network's length, which the computation does not depend on. Returns
    bool [steps, neurons], integers if the output is a sum of layers, or float64 in threshold units
    if it is graded. NetFileError if the file is invalid, HardwareError if the device cannot hold
    the network, ValueError if the input does not fit, TypeError if ``network`` is something else.

    With the ``timing`` "lava", biases act before the input reaches a layer, as on Lava. After each
    ``reset_interval`` steps, all states are set to 0; ``reset_offset`` is as in netx, and by
    default such that this happens in each layer when a sample of so many steps begins. Spikes that
    are delayed, or that a recurrent layer reads, still reach the next sample, as on Lava, and
    biases act only after their layer's reset. To run an input in chunks, see
    ``netdesc.hardware.IntegerNetwork``.

    >>> netdesc.run_integer(compiled.model, input_TBN[:, 0].numpy()).shape
    (1900, 200)
    """
    resets = Resets(reset_interval, reset_offset)
    if isinstance(network, str | Path):
        imported = import_net(network)
        graph, weights = build_graph(imported.document), imported.weights
    elif hasattr(network, "folded_state"):
        graph, weights = network.graph, network.folded_state()
    else:
        raise TypeError(
            f"a .net file or a model is needed, not {type(network).__name__}; "
            "netdesc.compile(…).model is the model of a run or of a document"
        )
    return IntegerNetwork(graph, weights, timing, resets).run_all(input_TN)
